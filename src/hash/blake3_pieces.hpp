#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "chunker/digest.hpp"

// BLAKE3 of one large input in pieces that do not need each other, for whoever has threads for them.
namespace chunker::hash {

/// A power of two of BLAKE3's own chunks of 1 KiB, so that each piece is a subtree.
inline constexpr std::size_t kBlake3PieceBytes = 1 << 20;

/// The two nodes at the top of a piece's subtree.
using Blake3PieceTop = std::array<std::byte, 64>;

/// How many whole pieces stand before the rest, which is never empty. 0 where only a system libblake3 is there,
/// which keeps its compression to itself.
[[nodiscard]] std::size_t blake3_piece_count(std::size_t input_bytes) noexcept;
/// Of the piece that stands at this place, counted from 0.
[[nodiscard]] Blake3PieceTop blake3_piece(Bytes piece, std::uint64_t place) noexcept;
/// The digest of the input of which these are the pieces, all of them, and the rest.
[[nodiscard]] Digest blake3_of_pieces(std::span<const Blake3PieceTop> tops, Bytes rest) noexcept;

}  // namespace chunker::hash
