#!/usr/bin/env bash
# What each option is worth: stored bytes and seconds with all of them, and with each one off in turn.
#
#   bench/ablation.sh CORPUS [RUNS]
#
# Every row takes all NARs of CORPUS into a new store, RUNS times (3), rows interleaved, and restores them once
# more per run; medians. Stored is everything in the store's directory, index and manifests included. The page
# cache is warm; stores lie in TMPDIR. CHUNKER names the program (build/release/bin/chunker).
set -euo pipefail

corpus=${1:?usage: bench/ablation.sh CORPUS [RUNS]}
runs=${2:-3}
chunker=${CHUNKER:-build/release/bin/chunker}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

names=(everything no-references no-deltas neither 128K-512K-2M neither-128K-512K-2M 32K-128K-512K blind)
declare -A options=(
  [everything]=""
  [no-references]="--no-references"
  [no-deltas]="--no-deltas"
  [neither]="--no-references --no-deltas"
  [128K-512K-2M]="--chunk-sizes 128K:512K:2M"
  [neither-128K-512K-2M]="--no-references --no-deltas --chunk-sizes 128K:512K:2M"
  [32K-128K-512K]="--chunk-sizes 32K:128K:512K"
  [blind]="--nar-mode off"
)

find "$corpus" -name '*.nar' | sort > "$work/files"
tr '\n' '\0' < "$work/files" | xargs -0 cat > /dev/null
logical=$(tr '\n' '\0' < "$work/files" | xargs -0 stat -c %s | awk '{sum += $1} END {print sum}')

seconds() { # COMMAND...: wall-clock seconds
  local TIMEFORMAT=%R
  { time "$@" > /dev/null; } 2>&1
}
median() { sort -n | awk '{line[NR] = $1} END {print line[int((NR + 1) / 2)]}'; }

for ((run = 0; run < runs; ++run)); do
  for name in "${names[@]}"; do
    # shellcheck disable=SC2086  # Options are words.
    seconds "$chunker" ingest --quiet --store "$work/store" --files-from "$work/files" ${options[$name]} >> "$work/in.$name"
    du -sb --apparent-size "$work/store" | cut -f1 >> "$work/bytes.$name"
    seconds "$chunker" restore --quiet --store "$work/store" --all --output-dir "$work/out" >> "$work/out.$name"
    rm -rf "$work/store" "$work/out"
  done
done

echo "| | stored bytes | ratio | ingest s | restore s |"
echo "|---|---|---|---|---|"
for name in "${names[@]}"; do
  bytes=$(median < "$work/bytes.$name")
  awk -v name="$name" -v bytes="$bytes" -v logical="$logical" -v in_seconds="$(median < "$work/in.$name")" \
    -v out_seconds="$(median < "$work/out.$name")" \
    'BEGIN {printf "| %s | %d | %.3f | %.2f | %.2f |\n", name, bytes, logical / bytes, in_seconds, out_seconds}'
done
