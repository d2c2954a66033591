#!/usr/bin/env bash
# Tests under ThreadSanitizer with a oneTBB that is instrumented, too; every report fails its test.
# usage: tools/tsan.sh [FOLDER...]      only the test programs of these folders of test/
set -euo pipefail
cd "$(dirname "$0")/.."

tools/onetbb_tsan.sh
# What libraries that are not instrumented (RocksDB, libstdc++) do to memory by themselves is theirs: TSan sees only half
# of why it is right. Their locks still count.
export TSAN_OPTIONS="exitcode=66 second_deadlock_stack=1 ignore_noninstrumented_modules=1"
if [ $# -eq 0 ]; then
  tools/build.sh tsan
  tools/test.sh tsan
else
  tools/build.sh tsan "${@/#/test_}"
  tools/test.sh tsan -R "^($(IFS='|' && echo "$*"))\$"
fi
