#!/usr/bin/env bash
# Cross-builds for aarch64 and runs in qemu's user mode the tests of what computes, with every kernel and all golden
# vectors, and the program once around. No Arm machine is needed, and no time that this takes means anything.
# usage: tools/test_aarch64.sh [FOLDER...]      only the test programs of these folders of test/
set -euo pipefail
cd "$(dirname "$0")/.."

chunker() { qemu-aarch64 -L build/aarch64-sysroot build/aarch64/bin/chunker "$@"; }

# A tree goes into a store and comes back.
round_trip() {
  chunker nar dump src > "$1/src.nar" &&
    chunker ingest --store "$1/store" "$1/src.nar" &&
    chunker verify --store "$1/store" --content &&
    chunker restore --store "$1/store" src.nar -o "$1/back.nar" &&
    cmp "$1/src.nar" "$1/back.nar"
}

test_folders() {
  tools/build.sh aarch64 "${@/#/test_}"
  tools/test.sh aarch64 -R "^($(IFS='|' && echo "$*"))\$"
}

test_program() {
  local work began log=build/aarch64-program.log
  tools/build.sh aarch64 chunker_program
  began=$SECONDS
  work=$(mktemp -d "${TMPDIR:-/tmp}/chunker-aarch64.XXXXXX")
  printf 'testing ingest, verify and restore ... '
  round_trip "$work" > "$log" 2>&1 < /dev/null || { echo "failed; the end of $log:"; tail -n 30 "$log"; exit 1; }
  rm -rf "$work"
  echo "done in $((SECONDS - began)) s"
}

tools/aarch64_sysroot.sh
if [ $# -gt 0 ]; then
  test_folders "$@"
else
  test_folders base nar refs cut hash sniff codec delta sign
  test_program
fi
