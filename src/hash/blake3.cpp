#include "hash/blake3.hpp"

#include <blake3.h>

namespace chunker::hash {
namespace {

Digest digest_of(const blake3_hasher& hasher) noexcept {
  Digest digest;
  blake3_hasher_finalize(&hasher, reinterpret_cast<std::uint8_t*>(digest.bytes.data()),
                         digest.bytes.size());
  return digest;
}

Digest hash_one(Bytes bytes) noexcept {
  blake3_hasher hasher;
  blake3_hasher_init(&hasher);
  blake3_hasher_update(&hasher, bytes.data(), bytes.size());
  return digest_of(hasher);
}

// The C code notes the processor's features in a plain global on first use, which is a data race
// when two threads come first together. One hash behind the guard of a static goes before all
// others.
void detect_features() noexcept { [[maybe_unused]] static const Digest first = hash_one({}); }

}  // namespace

Digest blake3(Bytes bytes) noexcept {
  detect_features();
  return hash_one(bytes);
}

struct Blake3Stream::State {
  blake3_hasher hasher;
};

Blake3Stream::Blake3Stream() : state_(std::make_unique<State>()) {
  detect_features();
  blake3_hasher_init(&state_->hasher);
}
Blake3Stream::Blake3Stream(Blake3Stream&&) noexcept = default;
Blake3Stream& Blake3Stream::operator=(Blake3Stream&&) noexcept = default;
Blake3Stream::~Blake3Stream() = default;

void Blake3Stream::update(Bytes bytes) noexcept {
  blake3_hasher_update(&state_->hasher, bytes.data(), bytes.size());
}

Digest Blake3Stream::finish() noexcept {
  const Digest digest = digest_of(state_->hasher);
  blake3_hasher_init(&state_->hasher);
  return digest;
}

}  // namespace chunker::hash
