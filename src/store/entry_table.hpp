#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "chunker/bytes.hpp"
#include "chunker/error.hpp"
#include "chunker/nar.hpp"

// The entry table of a manifest (doc/format/manifest.md): paths front-coded, offsets as gaps.
namespace chunker::store {

/// No entry takes fewer bytes: five numbers, and nothing of a path for the root alone.
inline constexpr std::size_t kEntryBytesMin = 5;

/// What all paths of a table may come to, written out: a table that shares all but a few bytes of each
/// long path would otherwise fill the memory of who reads it. Real ones come to three times their size.
[[nodiscard]] constexpr std::uint64_t path_bytes_max(std::uint64_t table_bytes) noexcept {
  return (std::uint64_t{16} << 20) + 32 * table_bytes;
}

/// Appends the table of `entries`, which must be those of one archive of `nar_bytes`, in its order.
/// Errors: invalid_argument with the path as context.
[[nodiscard]] Result<void> encode_entries(std::span<const NarEntry> entries,
                                          std::uint64_t nar_bytes, ByteBuffer& table);

/// Errors: store_corrupt with the offset in the table for anything encode_entries() would not write.
[[nodiscard]] Result<std::vector<NarEntry>> decode_entries(Bytes table, std::uint64_t entry_count,
                                                           std::uint64_t nar_bytes);

}  // namespace chunker::store
