#include "cut/strips.hpp"

namespace chunker::cut {
namespace {

// Before the first block: a window, and whole cache lines.
constexpr std::size_t kHistoryBytes = 64;
// One candidate in 256 bytes; with fewer bits the scalar loop wins.
constexpr int kFilterBitsMin = 8;

// Only the low 32 bits of a mask can filter; where both masks are in use, those that both have.
std::uint32_t filter_of(const GearMasks& masks, std::size_t size, std::size_t center) noexcept {
  if (center == 0) return static_cast<std::uint32_t>(masks.after_center);
  if (center >= size) return static_cast<std::uint32_t>(masks.before_center);
  return static_cast<std::uint32_t>(masks.before_center & masks.after_center);
}

bool is_sparse(std::uint32_t filter) noexcept {
  return __builtin_popcount(filter) >= kFilterBitsMin;
}

// How long the strips of the largest block in `size` bytes are; 0 if they are too few for one.
std::size_t strip_bytes_in(const StripKernel& kernel, std::size_t size) noexcept {
  const std::size_t longest = size / kernel.strip_count / kStripColumnBytes * kStripColumnBytes;
  if (longest < kernel.strip_bytes_min) return 0;
  return longest < kernel.strip_bytes_max ? longest : kernel.strip_bytes_max;
}

struct Scanned {
  std::size_t bytes;  // how many were scanned
  std::size_t found;  // the index of the first match, or `bytes`
};

// Scans one block of `size` bytes at `data`, or what is not fit for one; a window lies before them.
Scanned scan_some(const StripKernel& kernel, const GearTables& tables, const GearMasks& masks,
                  const std::uint8_t* data, std::size_t size, std::size_t center) noexcept {
  const std::size_t one_mask_bytes = center == 0 || center > size ? size : center;
  std::size_t strip_bytes = strip_bytes_in(kernel, size);
  std::uint32_t filter = filter_of(masks, kernel.strip_count * strip_bytes, center);
  if (!is_sparse(filter)) {
    strip_bytes = strip_bytes_in(kernel, one_mask_bytes);
    filter = filter_of(masks, kernel.strip_count * strip_bytes, center);
  }
  if (strip_bytes == 0 || !is_sparse(filter)) {
    return {one_mask_bytes, scan_from_window(tables, masks, data, one_mask_bytes, center)};
  }
  const std::size_t bytes = kernel.strip_count * strip_bytes;
  const std::uint8_t* const next = size >= 2 * bytes ? data + bytes : data;
  return {bytes,
          kernel.first_match(tables, masks, {data, strip_bytes, bytes, next, center, filter})};
}

}  // namespace

std::size_t scan_in_strips(const StripKernel& kernel, const GearTables& tables,
                           const GearMasks& masks, const std::uint8_t* data, std::size_t size,
                           std::size_t center, std::uint64_t& hash) noexcept {
  const std::size_t block_bytes_min = kernel.strip_count * kernel.strip_bytes_min;
  if (size < 2 * kHistoryBytes + block_bytes_min) {
    return scan_scalar(tables, masks, data, size, center, hash);
  }
  // The bytes that the given hash has a part in, and on to a cache line.
  std::size_t at = kHistoryBytes + (-reinterpret_cast<std::uintptr_t>(data)) % kHistoryBytes;
  if (const std::size_t found = scan_scalar(tables, masks, data, at, center, hash); found != at) {
    return found;
  }
  while (size - at >= block_bytes_min) {
    const std::size_t to_center = center > at ? center - at : 0;
    const Scanned some = scan_some(kernel, tables, masks, data + at, size - at, to_center);
    if (some.found != some.bytes) return at + some.found;
    at += some.bytes;
  }
  hash = window_hash(tables, data + at);
  return at + scan_scalar(tables, masks, data + at, size - at, center > at ? center - at : 0, hash);
}

// Four chains that do not wait for each other.
std::uint64_t window_hash(const GearTables& tables, const std::uint8_t* end) noexcept {
  const std::uint64_t* const entry = tables.shifted[0];
  const std::uint8_t* const p = end - kWindowBytes;
  std::uint64_t h0 = 0, h1 = 0, h2 = 0, h3 = 0;
  for (int i = 0; i < 12; ++i) {
    h0 = 2 * h0 + entry[p[i]];
    h1 = 2 * h1 + entry[p[i + 12]];
    h2 = 2 * h2 + entry[p[i + 24]];
    h3 = 2 * h3 + entry[p[i + 36]];
  }
  return (h0 << 36) + (h1 << 24) + (h2 << 12) + h3;
}

std::size_t scan_from_window(const GearTables& tables, const GearMasks& masks,
                             const std::uint8_t* data, std::size_t size,
                             std::size_t center) noexcept {
  std::uint64_t hash = window_hash(tables, data);
  return scan_scalar(tables, masks, data, size, center, hash);
}

}  // namespace chunker::cut
