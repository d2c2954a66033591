#include "hash/blake3.hpp"

#include <blake3.h>

namespace chunker::hash {
namespace {

Digest hash_one(Bytes bytes) noexcept {
  Digest digest;
  blake3_hasher hasher;
  blake3_hasher_init(&hasher);
  blake3_hasher_update(&hasher, bytes.data(), bytes.size());
  blake3_hasher_finalize(&hasher, reinterpret_cast<std::uint8_t*>(digest.bytes.data()),
                         digest.bytes.size());
  return digest;
}

}  // namespace

Digest blake3(Bytes bytes) noexcept {
  // The C code notes the processor's features in a plain global on first use, which is a data race
  // when two threads come first together. One hash behind the guard of a static goes before all
  // others.
  [[maybe_unused]] static const Digest first = hash_one({});
  return hash_one(bytes);
}

}  // namespace chunker::hash
