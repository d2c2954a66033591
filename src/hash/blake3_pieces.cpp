#include "hash/blake3_pieces.hpp"

#include <blake3.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/wire.hpp"
#include "hash/blake3.hpp"

extern "C" void blake3_compress_in_place(std::uint32_t cv[8], const std::uint8_t block[64],
                                         std::uint8_t block_bytes, std::uint64_t counter,
                                         std::uint8_t flags);

namespace chunker::hash {
namespace {

constexpr std::size_t kNodeBytes = BLAKE3_OUT_LEN;
constexpr std::uint64_t kPieceLeaves = kBlake3PieceBytes / BLAKE3_CHUNK_LEN;
static_assert(std::has_single_bit(kPieceLeaves));
constexpr std::uint8_t kParent = 4;

/// As in the official code: until there are as many nodes as bits are set in the number of leaves.
void merge(blake3_hasher& whole) noexcept {
  while (whole.cv_stack_len > std::popcount(whole.chunk.chunk_counter)) {
    --whole.cv_stack_len;
    std::uint8_t* const pair = &whole.cv_stack[(whole.cv_stack_len - 1) * kNodeBytes];
    std::uint32_t value[8];
    std::ranges::copy(whole.key, value);
    blake3_compress_in_place(value, pair, 2 * kNodeBytes, 0, kParent);
    for (std::size_t i = 0; i < 8; ++i) {
      base::store_le(value[i], reinterpret_cast<std::byte*>(&pair[4 * i]));
    }
  }
}

}  // namespace

std::size_t blake3_piece_count(std::size_t input_bytes) noexcept {
  return input_bytes == 0 ? 0 : (input_bytes - 1) / kBlake3PieceBytes;
}

// A hasher that believes that the leaves before the piece have become as many nodes as they would stacks the piece's
// two on top of them.
Blake3PieceTop blake3_piece(Bytes piece, std::uint64_t place) noexcept {
  // The processor's features are noted in a plain global on first use (blake3.cpp).
  [[maybe_unused]] static const Digest first = blake3({});
  blake3_hasher hasher;
  blake3_hasher_init(&hasher);
  hasher.chunk.chunk_counter = place * kPieceLeaves;
  hasher.cv_stack_len = static_cast<std::uint8_t>(std::popcount(place));
  const std::uint8_t* const nodes = &hasher.cv_stack[hasher.cv_stack_len * kNodeBytes];
  blake3_hasher_update(&hasher, piece.data(), piece.size());
  Blake3PieceTop top;
  std::memcpy(top.data(), nodes, top.size());
  return top;
}

Digest blake3_of_pieces(std::span<const Blake3PieceTop> tops, Bytes rest) noexcept {
  blake3_hasher whole;
  blake3_hasher_init(&whole);
  for (const Blake3PieceTop& top : tops) {
    merge(whole);
    std::memcpy(&whole.cv_stack[whole.cv_stack_len * kNodeBytes], top.data(), top.size());
    whole.cv_stack_len = static_cast<std::uint8_t>(whole.cv_stack_len + 2);
    whole.chunk.chunk_counter += kPieceLeaves;
  }
  blake3_hasher_update(&whole, rest.data(), rest.size());
  Digest digest;
  blake3_hasher_finalize(&whole, reinterpret_cast<std::uint8_t*>(digest.bytes.data()),
                         digest.bytes.size());
  return digest;
}

}  // namespace chunker::hash
