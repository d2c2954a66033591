#!/usr/bin/env bash
# Prints line coverage of src/ and include/ after the tests of a coverage build ran; fails below 90 % (NFR-3.4).
# usage: tools/coverage.sh BUILD-FOLDER
set -euo pipefail
cd "$(dirname "$0")/.."

build=${1:?usage: tools/coverage.sh BUILD-FOLDER}
enough=0
gcovr --root . --filter 'src/' --filter 'include/' --exclude-unreachable-branches --fail-under-line 90 \
  --txt "$build/coverage.txt" --print-summary "$build" | sed -n '/^lines/p' || enough=$?
echo "each file's share and the lines that no test reaches: $build/coverage.txt"
exit $enough
