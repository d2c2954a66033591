#!/usr/bin/env bash
# Runs every fuzz target of a fuzz build for some seconds. Inputs that were worth keeping collect in
# BUILD-FOLDER/corpus/TARGET; an input that fails is left in BUILD-FOLDER/failures/.
# usage: tools/fuzz.sh BUILD-FOLDER SECONDS [TARGET...]
set -euo pipefail
cd "$(dirname "$0")/.."

build=${1:?usage: tools/fuzz.sh BUILD-FOLDER SECONDS [TARGET...]}
seconds=${2:?usage: tools/fuzz.sh BUILD-FOLDER SECONDS [TARGET...]}
shift 2
targets=("$@")
if [ ${#targets[@]} -eq 0 ]; then
  for program in "$build"/fuzz/fuzz_*; do
    [ ! -x "$program" ] || targets+=("${program##*/fuzz_}")
  done
fi

failed=()
mkdir -p "$build/failures"
for target in "${targets[@]}"; do
  corpus=$build/corpus/$target
  mkdir -p "$corpus"
  folders=("$corpus")
  [ ! -d "fuzz/corpus/$target" ] || folders+=("fuzz/corpus/$target")
  printf 'fuzzing %s for %s s ... ' "$target" "$seconds"
  if "$build/fuzz/fuzz_$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
    -print_final_stats=1 -artifact_prefix="$build/failures/$target-" "${folders[@]}" \
    > "$build/fuzz-$target.log" 2>&1; then
    sed -n 's/^stat::number_of_executed_units: *//p' "$build/fuzz-$target.log" | sed 's/$/ inputs/'
  else
    echo "failed"
    tail -n 30 "$build/fuzz-$target.log"
    failed+=("$target")
  fi
done
if [ ${#failed[@]} -gt 0 ]; then
  echo "failed: ${failed[*]}; the inputs are in $build/failures/, to run again: $build/fuzz/fuzz_TARGET INPUT"
  exit 1
fi
