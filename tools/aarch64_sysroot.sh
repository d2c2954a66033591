#!/usr/bin/env bash
# Unpacks the arm64 packages of this Debian that a cross-build links to into build/aarch64-sysroot. apt checks their
# signatures and hashes. Nothing is installed, and the machine's own apt sources and architectures stay as they are.
# usage: tools/aarch64_sysroot.sh
set -euo pipefail
cd "$(dirname "$0")/.."

out=$PWD/build/aarch64-sysroot
log=$PWD/build/aarch64-sysroot.log
packages=(libtbb-dev libzstd-dev liblz4-dev liblzma-dev libbz2-dev libssl-dev librocksdb-dev libcli11-dev libfmt-dev
  nlohmann-json3-dev libgtest-dev libgmock-dev librapidcheck-dev)
[ "$(cat "$out/complete" 2> /dev/null)" != "${packages[*]}" ] || exit 0

fetch() { # apt's lists and caches for this lie apart from the machine's, and it believes that nothing is installed
  local apt=$out.apt
  mkdir -p "$apt/sources" "$apt/lists/partial" "$apt/cache/archives/partial"
  : > "$apt/status"
  local release signed=signed-by=/usr/share/keyrings/debian-archive-keyring.gpg
  # shellcheck disable=SC1091
  release=$(. /etc/os-release && echo "$VERSION_CODENAME")
  echo "deb [$signed] http://deb.debian.org/debian $release main
    deb [$signed] http://deb.debian.org/debian-security $release-security main" > "$apt/sources/source.list"
  local own=(-q -o APT::Architecture=arm64 -o APT::Architectures::=arm64 -o "Dir::State::status=$apt/status"
    -o Dir::Etc::SourceList=/dev/null -o "Dir::Etc::SourceParts=$apt/sources" -o "Dir::State::Lists=$apt/lists"
    -o "Dir::Cache=$apt/cache" -o APT::Sandbox::User= -o Acquire::Retries=3 -o APT::Update::Error-Mode=any)
  apt-get "${own[@]}" update
  apt-get "${own[@]}" install --yes --download-only --no-install-recommends "${packages[@]}"
  local archive
  for archive in "$apt"/cache/archives/*.deb; do dpkg-deb --extract "$archive" "$out"; done
  rm -rf "$apt"
}

stay_inside() { # links to absolute paths would lead to the machine's own files
  local link target
  find "$out" -type l -lname '/*' -printf '%p %l\n' | while read -r link target; do
    ln -sfnr "$out$target" "$link"
  done
}

printf 'unpacking arm64 libraries ... '
rm -rf "$out" "$out.apt"
mkdir -p "$out"
trap 'echo "failed; the end of $log:"; tail -n 30 "$log"' ERR
{
  fetch
  stay_inside
} > "$log" 2>&1 < /dev/null
echo "${packages[*]}" > "$out/complete"
trap - ERR
echo "done in $SECONDS s"
