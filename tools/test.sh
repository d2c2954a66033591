#!/usr/bin/env bash
# Runs every test of a built preset. Quiet: the whole output is in build/PRESET-tests.log; what failed is
# shown. Leaves build/PRESET/ctest.xml and build/PRESET/test-results/ for tools/check_requirements.py.
# usage: tools/test.sh PRESET [CTEST-ARGUMENT...]
set -euo pipefail
cd "$(dirname "$0")/.."

preset=${1:?usage: tools/test.sh PRESET [CTEST-ARGUMENT...]}
shift
log=build/$preset-tests.log

rm -rf "build/$preset/test-results" "build/$preset/ctest.xml"
printf 'testing %s ... ' "$preset"
if ctest --test-dir "build/$preset" --output-on-failure --no-tests=error --parallel "${JOBS:-$(nproc)}" \
  --output-junit "$PWD/build/$preset/ctest.xml" "$@" > "$log" 2>&1 < /dev/null; then
  echo "done in $SECONDS s"
else
  echo "failed; the whole output is in $log"
  # Of each failed test what it printed, without what went well in it.
  awk '/^ *[0-9]+\/[0-9]+ Test/ { failed = /\*\*\*/; lines = 0 }
       /^ *Start +[0-9]+:/ || /tests passed/ { failed = 0 }
       failed && !/^\[ +(RUN|OK) |^\[[-=]+\]/ && ++lines <= 60' "$log"
  sed -n '/tests passed/,$p' "$log"
  exit 1
fi
sed -n '/tests passed/,$p' "$log"
