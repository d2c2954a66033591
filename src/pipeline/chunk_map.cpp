#include "base/try.hpp"
#include "chunker/chunking.hpp"

namespace chunker {
namespace {

bool has_contents(const NarEntry& entry) noexcept {
  return entry.type == NarEntryType::regular && entry.size_bytes != 0;
}

}  // namespace

std::vector<EntryRange> map_chunks_to_entries(std::span<const ChunkExtent> chunks,
                                              std::span<const NarEntry> entries) {
  std::vector<EntryRange> ranges;
  ranges.reserve(chunks.size());
  std::size_t first = 0;  // every file before it ends before the current chunk
  for (const ChunkExtent& chunk : chunks) {
    const std::uint64_t chunk_end = chunk.offset_bytes + chunk.size_bytes;
    const auto ends_before = [&chunk](const NarEntry& entry) {
      return !has_contents(entry) || entry.offset_bytes + entry.size_bytes <= chunk.offset_bytes;
    };
    while (first != entries.size() && ends_before(entries[first])) ++first;
    EntryRange range{first, first};
    for (std::size_t i = first; i != entries.size() && entries[i].offset_bytes < chunk_end; ++i) {
      if (has_contents(entries[i])) range.end_index = i + 1;
    }
    ranges.push_back(range);
  }
  return ranges;
}

Result<void> validate_chunks(std::span<const ChunkExtent> chunks, std::uint64_t stream_bytes) {
  std::uint64_t end = 0;
  for (const ChunkExtent& chunk : chunks) {
    if (chunk.offset_bytes != end) {
      return base::fail(ErrorCode::invalid_argument,
                        "a chunk does not begin where the one before ends", chunk.offset_bytes);
    }
    if (chunk.size_bytes == 0) {
      return base::fail(ErrorCode::invalid_argument, "a chunk is empty", end);
    }
    if (chunk.size_bytes > stream_bytes - end) {
      return base::fail(ErrorCode::invalid_argument, "a chunk ends behind the stream", end);
    }
    end += chunk.size_bytes;
  }
  if (end != stream_bytes) {
    return base::fail(ErrorCode::invalid_argument, "the chunks end before the stream", end);
  }
  return {};
}

}  // namespace chunker
