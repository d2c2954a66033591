#!/usr/bin/env bash
# Compares chunker with the peers that Debian 12 packages, on the files of one folder.
# usage: bench/peers.sh CORPUS [RUNS]
#   ONLY=chunker,borg (the names are in bench/peers.py)   CHUNKER=build/release/bin/chunker   TMPDIR=where stores go
set -euo pipefail
cd "$(dirname "$0")/.."

corpus=${1:-}
if [ ! -d "$corpus" ]; then
  echo "usage: bench/peers.sh CORPUS [RUNS]" >&2
  echo "CORPUS is a folder of .nar files (any other files will do)." >&2
  exit 2
fi
tools/install-dependencies.sh bench
exec python3 bench/peers.py "$corpus" --runs "${2:-3}" ${ONLY:+--only "$ONLY"} \
  --chunker "$(realpath "${CHUNKER:-build/release/bin/chunker}")"
