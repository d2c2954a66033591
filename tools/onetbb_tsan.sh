#!/usr/bin/env bash
# Builds oneTBB for ThreadSanitizer into build/onetbb-tsan, from the source package of this Debian, whose signature
# and hashes apt checks. Debian's own libtbb is not instrumented: TSan does not see how it hands work from thread to
# thread, and takes that for races. Nothing is installed, and the machine's own apt sources stay as they are.
# usage: tools/onetbb_tsan.sh
set -euo pipefail
cd "$(dirname "$0")/.."

out=$PWD/build/onetbb-tsan
log=$PWD/build/onetbb-tsan.log
[ ! -e "$out/lib/cmake/TBB/TBBConfig.cmake" ] || exit 0

fetch() { # apt's lists and caches for this lie apart from the machine's
  local apt=$out/apt
  mkdir -p "$apt/sources" "$apt/lists/partial" "$apt/cache/archives/partial" "$out/source"
  # shellcheck disable=SC1091
  echo "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]" \
    "http://deb.debian.org/debian $(. /etc/os-release && echo "$VERSION_CODENAME") main" > "$apt/sources/source.list"
  local own=(-q -o Dir::Etc::SourceList=/dev/null -o "Dir::Etc::SourceParts=$apt/sources" -o "Dir::State::Lists=$apt/lists"
    -o "Dir::Cache=$apt/cache" -o APT::Sandbox::User= -o Acquire::Retries=3 -o APT::Update::Error-Mode=any)
  apt-get "${own[@]}" update
  cd "$out/source"
  apt-get "${own[@]}" source onetbb
  rm -rf "$apt"
}

build() {
  local source=("$out"/source/onetbb-*/)
  cmake -S "${source[0]}" -B "$out/build" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo \
    -DCMAKE_C_COMPILER=clang-19 -DCMAKE_CXX_COMPILER=clang++-19 -DCMAKE_INSTALL_PREFIX="$out" \
    -DCMAKE_INSTALL_LIBDIR=lib -DTBB_SANITIZE=thread -DTBB_TEST=OFF -DTBB_STRICT=OFF -DTBBMALLOC_BUILD=OFF
  cmake --build "$out/build" --parallel "${JOBS:-$(nproc)}"
  cmake --install "$out/build"
}

printf 'building oneTBB for ThreadSanitizer ... '
rm -rf "$out"
mkdir -p "$out"
trap 'echo "failed; the end of $log:"; tail -n 30 "$log"' ERR
{
  fetch
  build
} > "$log" 2>&1 < /dev/null
trap - ERR
echo "done in $SECONDS s"
