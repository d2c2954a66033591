#!/usr/bin/env bash
# Takes some hundreds of MB of this machine's own files through a store and back, and shows what happened.
# usage: tools/demo.sh PROGRAM      TMPDIR=where it works (1.5 GB); everything is removed again
set -euo pipefail

program=$(realpath "${1:?usage: tools/demo.sh PROGRAM}")
work=$(mktemp -d "${TMPDIR:-/tmp}/chunker-demo.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
cd "$work"
mkdir trees nars restored

if [ "$(df --output=avail -k . | tail -n 1)" -lt 1500000 ]; then
  echo "make demo needs 1.5 GB of room in ${TMPDIR:-/tmp}; TMPDIR=DIR make demo works elsewhere." >&2
  exit 1
fi

chunker() { "$program" "$@"; }

say() { printf '\n\033[1m%s\033[0m\n' "$1"; }
[ -t 1 ] || say() { printf '\n%s\n' "$1"; }

# Prints the command and runs it.
show() {
  echo "\$ chunker $*"
  chunker "$@"
}

seconds() { date +%s.%N; }
since() { awk -v from="$1" -v to="$(seconds)" 'BEGIN { printf "%.1f", to - from }'; }

# take NAME MB DIR...: copies what is readable of the first of these folders that exists, MB at most.
take() {
  local name=$1 megabytes=$2 folder
  shift 2
  for folder in "$@"; do
    [ -d "$folder" ] || continue
    mkdir "trees/$name"
    # In order of path until the room is used up; links come along, and what may not be read stays behind.
    (cd "$folder"; find . \( -type l -o -type f -readable \) ! -name '*[[:cntrl:]]*' -printf '%p\t%s\n' \
      2> /dev/null || true) | LC_ALL=C sort |
      awk -F '\t' -v room="$((megabytes * 1000000))" '$2 <= room { room -= $2; print $1 }' |
      (tar -C "$folder" --verbatim-files-from -cf - -T - 2> /dev/null || true) | tar -C "trees/$name" -xf -
    chmod -R u+rwX "trees/$name"
    return
  done
}

# change NAME: turns a tree into its next version. Every 4 MB a file is edited in the middle, grows, or goes
# away, and something new comes.
change() {
  local tree=trees/$1 size file seen=0 changes=0
  while IFS=$'\t' read -r size file; do
    seen=$((seen + size))
    [ "$seen" -ge $((changes * 4000000)) ] || continue
    changes=$((changes + 1))
    case $((changes % 3)) in
      0) [ "$size" -gt 1000000 ] || rm "$file" ;;
      1) printf 'edited' | dd of="$file" bs=1 seek=$((size / 2)) conv=notrunc status=none ;;
      2) printf 'one more line in the next version\n' >> "$file" ;;
    esac
  done < <(find "$tree" -type f -size +0 -printf '%s\t%p\n' | LC_ALL=C sort -k 2)
  mkdir "$tree/new-in-version-2"
  head -c 300000 "$program" > "$tree/new-in-version-2/file"
}

stored_bytes() { chunker stats --store store --json | grep -o '"stored_bytes": *[0-9]*' | grep -o '[0-9]*$'; }

# bar LABEL BYTES OF: one line of the picture.
bar() {
  awk -v label="$1" -v bytes="$2" -v all="$3" 'BEGIN {
    width = int(50 * bytes / all + 0.5)
    if (width == 0 && bytes > 0) width = 1
    for (i = 0; i < width; i++) line = line "#"
    printf "  %-24s %-50s %7.1f MiB\n", label, line, bytes / 1048576
  }'
}

say "Making NARs of this machine's own files"
take documents 40 /usr/share/doc
take scripts 40 /usr/lib/python3.11 /usr/lib/python3 /usr/share/perl
take programs 80 /usr/bin
take libraries 80 "/usr/lib/$(uname -m)-linux-gnu" /usr/lib
for tree in trees/*; do
  name=${tree#trees/}
  chunker nar dump "$tree" > "nars/$name-1.nar"
done
for name in documents scripts programs; do
  [ -d "trees/$name" ] || continue
  change "$name"
  chunker nar dump "trees/$name" > "nars/$name-2.nar"
done
stat -c '%n %s' nars/* | awk '{ printf "  %-24s %7.1f MiB\n", $1, $2 / 1048576 }'

say "Version 1 goes in"
start=$(seconds)
show ingest --store store nars/*-1.nar
echo "took $(since "$start") s"
first_stored=$(stored_bytes)

say "Version 2 goes in: some files edited, grown, gone or new"
start=$(seconds)
show ingest --store store nars/*-2.nar
echo "took $(since "$start") s"
all_stored=$(stored_bytes)

say "What two versions share"
show diff nars/programs-1.nar nars/programs-2.nar
show stats --store store

say "Every stored byte is read and checked"
show verify --store store --content

say "Everything comes back"
start=$(seconds)
show restore --store store --all --output-dir restored
echo "took $(since "$start") s"
count=0
for nar in nars/*; do
  cmp "$nar" "restored/${nar#nars/}"
  count=$((count + 1))
done
echo "$count of $count NARs are the same as before, byte for byte"

first_bytes=$(cat nars/*-1.nar | wc -c)
all_bytes=$(cat nars/* | wc -c)
say "In one picture"
bar "version 1" "$first_bytes" "$all_bytes"
bar "  stored" "$first_stored" "$all_bytes"
bar "version 2" "$((all_bytes - first_bytes))" "$all_bytes"
bar "  stored in addition" "$((all_stored - first_stored))" "$all_bytes"
bar "both" "$all_bytes" "$all_bytes"
bar "  stored" "$all_stored" "$all_bytes"
awk -v all="$all_bytes" -v stored="$all_stored" 'BEGIN { printf "\n  %.1f times smaller.\n", all / stored }'
