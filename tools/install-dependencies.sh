#!/usr/bin/env bash
# Installs the Debian packages that a task needs and that are not there yet; without network that is fine
# as long as nothing is missing.
# usage: tools/install-dependencies.sh GROUP...      groups: build test coverage clang tsan aarch64 bench
set -euo pipefail

packages_of() {
  case "$1" in
    build) echo cmake ninja-build g++ pkg-config libtbb-dev libzstd-dev liblz4-dev liblzma-dev \
      libbz2-dev librust-blake3-dev libssl-dev librocksdb-dev libcli11-dev libfmt-dev \
      nlohmann-json3-dev ;;
    test) echo libgtest-dev libgmock-dev librapidcheck-dev nix-bin python3 ;;
    coverage) echo gcovr ;;
    clang) echo clang-19 clang-format-19 libclang-rt-19-dev ;;
    tsan) echo dpkg-dev debian-archive-keyring ;;
    aarch64) echo cmake ninja-build pkg-config python3 g++-aarch64-linux-gnu qemu-user librust-blake3-dev \
      debian-archive-keyring ;;
    bench) echo borgbackup restic casync zpaq bup b3sum openssl time python3 ;;
    *) echo "install-dependencies.sh: no group '$1'; groups: build test coverage clang tsan aarch64 bench" >&2
      exit 2 ;;
  esac
}

wanted=()
for group in "$@"; do
  packages=$(packages_of "$group")
  read -ra names <<< "$packages"
  wanted+=("${names[@]}")
done

missing=()
for package in "${wanted[@]}"; do
  if [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2> /dev/null)" != installed ]; then
    missing+=("$package")
  fi
done
[ ${#missing[@]} -gt 0 ] || exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo > /dev/null; then
    echo "These Debian packages are missing, and there is no sudo to install them. As root, run:" >&2
    echo "  apt-get install --no-install-recommends ${missing[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
fi

echo "installing ${missing[*]}"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
apt_get() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -y -q "$@" < /dev/null > "$log" 2>&1
}
# Package lists may be absent (a fresh container) or old, so they are fetched first; if that fails, what
# the machine has may still do.
apt_get update || true
if ! apt_get install --no-install-recommends "${missing[@]}"; then
  tail -n 20 "$log" >&2
  echo "apt-get could not install: ${missing[*]}" >&2
  echo "This needs Debian 12 (or a system with the same packages) and a way to its package server." >&2
  exit 1
fi
