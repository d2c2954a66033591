#!/usr/bin/env bash
# Configures and builds one preset into build/PRESET. Quiet: everything goes to build/PRESET.log, which is
# shown where it matters when a step fails.
# usage: tools/build.sh PRESET [TARGET...]      JOBS=N bounds the compilers that run at once
set -euo pipefail
cd "$(dirname "$0")/.."

preset=${1:?usage: tools/build.sh PRESET [TARGET...]}
shift
log=build/$preset.log
jobs=${JOBS:-$(nproc)}
mkdir -p build

launcher=()
if command -v ccache > /dev/null; then
  launcher=(-DCMAKE_C_COMPILER_LAUNCHER=ccache -DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
fi

fail() {
  echo "failed"
  grep -E -m 20 'error|FAILED|CMake Error' "$log" >&2 || true
  echo "--- the end of $log:" >&2
  tail -n 30 "$log" >&2
  exit 1
}

printf 'building %s ... ' "$preset"
cmake --preset "$preset" "${launcher[@]}" > "$log" 2>&1 < /dev/null || fail
cmake --build "build/$preset" --parallel "$jobs" ${1:+--target "$@"} >> "$log" 2>&1 < /dev/null || fail
echo "done in $SECONDS s"
