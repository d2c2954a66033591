#include "pipeline/file_chunks.hpp"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <utility>

#include "base/try.hpp"
#include "pipeline/input.hpp"

namespace chunker::pipeline {
namespace {

/// Read at once; also what is left over of a file at most, beside one chunk.
constexpr std::size_t kReadBytes = 1 << 20;

class FileChunker {
 public:
  FileChunker(const FileCut& cut, ByteBuffer& buffer)
      : cut_(cut), chunker_(cut.chunking), normalizer_(cut.normalizer), buffer_(buffer) {
    buffer_.clear();
  }

  Result<void> read_all(Input& input, ProgressMeter& progress) {
    for (bool ended = false; !ended;) {
      if (cut_.stop.stop_requested()) {
        return base::fail(ErrorCode::cancelled, "stopped on request");
      }
      const std::size_t old_size = buffer_.size();
      buffer_.resize(old_size + kReadBytes);
      CHUNKER_TRY(const std::size_t count, input.read(buffer_.span().subspan(old_size)));
      buffer_.resize(old_size + count);
      ended = count < kReadBytes;
      file_.bytes += count;
      CHUNKER_TRY_VOID(cut_fresh(ended));
      progress.add_bytes(count);
    }
    return {};
  }

  FileChunks take() && {
    file_.is_nar = chunker_.is_nar();
    file_.entries = std::move(chunker_.entries());
    if (normalizer_) file_.references = std::move(*normalizer_).take();
    return std::move(file_);
  }

 private:
  Result<void> cut_fresh(bool ended) {
    const MutableBytes fresh = buffer_.span().subspan(fed_);
    const std::size_t count = normalizer_ ? normalizer_->normalize(fresh, ended) : fresh.size();
    const std::size_t known = file_.extents.size();
    CHUNKER_TRY_VOID(chunker_.feed(fresh.first(count), file_.extents));
    fed_ += count;
    if (ended) CHUNKER_TRY_VOID(chunker_.finish(file_.extents));
    const std::size_t used = hash_chunks_from(known);
    std::memmove(buffer_.data(), buffer_.data() + used, buffer_.size() - used);
    buffer_.resize(buffer_.size() - used);
    fed_ -= used;
    return {};
  }

  /// Returns how many bytes these chunks are.
  std::size_t hash_chunks_from(std::size_t first) {
    std::vector<Bytes> chunks;
    std::size_t used = 0;
    for (std::size_t i = first; i < file_.extents.size(); ++i) {
      const auto size = static_cast<std::size_t>(file_.extents[i].size_bytes);
      chunks.push_back(buffer_.view().subspan(used, size));
      used += size;
    }
    file_.digests.resize(file_.extents.size());
    cut_.hash.hash_many(chunks, std::span(file_.digests).subspan(first));
    if (cut_.profile_contents) {
      std::ranges::transform(chunks, std::back_inserter(file_.profiles), profile_content);
    }
    return used;
  }

  const FileCut& cut_;
  NarAwareChunker chunker_;
  std::optional<refs::ReferenceNormalizer> normalizer_;
  ByteBuffer& buffer_;   ///< From the end of the last chunk on.
  std::size_t fed_ = 0;  ///< How much of it the chunker has seen.
  FileChunks file_;
};

}  // namespace

Result<FileCut> FileCut::make(const ChunkingOptions& chunking, const BatchOptions& batch) {
  CHUNKER_TRY(auto resolved, chunking.resolve());
  CHUNKER_TRY(auto normalizer, refs::ReferenceNormalizer::make_if_any(batch.store_prefix));
  return FileCut{std::move(resolved), batch.hash, std::move(normalizer), batch.profile_contents,
                 batch.stop};
}

Result<FileChunks> chunk_file(const std::filesystem::path& path, const FileCut& cut,
                              ByteBuffer& buffer, ProgressMeter& progress) {
  CHUNKER_TRY(const auto input,
              open_input({IngestSource::Kind::nar_file, path, -1, std::string()}, cut.stop));
  FileChunker chunker(cut, buffer);
  CHUNKER_TRY_VOID(chunker.read_all(*input, progress));
  FileChunks file = std::move(chunker).take();
  file.path = path;
  return file;
}

}  // namespace chunker::pipeline
