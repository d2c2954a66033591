#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "chunker/batch.hpp"
#include "chunker/bytes.hpp"
#include "chunker/chunking.hpp"
#include "pipeline/file_chunks.hpp"
#include "pipeline/input.hpp"
#include "pipeline/progress.hpp"
#include "refs/references.hpp"

namespace chunker::pipeline {

/// How far the cutting of one file has come.
struct FileCutting {
  FileCutting(const FileCut& file_cut, ByteBuffer& workers_buffer)
      : cut(file_cut),
        chunker(file_cut.chunking),
        normalizer(file_cut.normalizer),
        buffer(workers_buffer) {
    buffer.clear();
  }

  /// Takes the references out of `data`, which follows all that the chunker has seen; returns how much is final.
  [[nodiscard]] std::size_t normalize(MutableBytes data, bool last) {
    return normalizer ? normalizer->normalize(data, last) : data.size();
  }

  const FileCut& cut;
  NarAwareChunker chunker;
  std::optional<refs::ReferenceNormalizer> normalizer;
  ByteBuffer& buffer;   ///< From the end of the last chunk on.
  std::size_t fed = 0;  ///< How much of it the chunker has seen.
  FileChunks file;
};

/// Appends the digests of `chunks`, which `bytes` begin with, and their profiles if they are wanted. Returns how many
/// bytes the chunks are.
std::size_t describe(const FileCut& cut, std::span<const ChunkExtent> chunks, Bytes bytes,
                     std::vector<Digest>& digests, std::vector<ContentProfile>& profiles);

/// Whether cut_side_by_side() may have the rest: its memory holds several chunks of the largest size.
[[nodiscard]] bool fits_side_by_side(const FileCutting& cutting) noexcept;

/// Reads, cuts and hashes what is left of the file, in up to `threads` threads of the arena that it is called in
/// (doc/adr/0014-one-file-on-many-threads.md).
/// Errors: io_*, nar_*, cancelled: the first in the order of the file.
/// Cost:   per thread two slabs of 4 MiB and one chunk each.
[[nodiscard]] Result<void> cut_side_by_side(FileCutting& cutting, Input& input,
                                            ProgressMeter& progress, unsigned threads);

}  // namespace chunker::pipeline
