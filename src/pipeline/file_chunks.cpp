#include "pipeline/file_chunks.hpp"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <utility>

#include "base/try.hpp"
#include "pipeline/file_cutting.hpp"
#include "pipeline/input.hpp"
#include "pipeline/workers.hpp"

namespace chunker::pipeline {
namespace {

/// Read at once; also what is left over of a file at most, beside one chunk.
constexpr std::size_t kReadBytes = 1 << 20;
/// So much of a file is cut by one thread in any case: slabs for more are worth their memory only behind it.
constexpr std::uint64_t kAloneBytes = 8 << 20;

Result<void> cut_fresh(FileCutting& cutting, bool ended) {
  auto& [cut, chunker, normalizer, buffer, fed, file] = cutting;
  const MutableBytes fresh = buffer.span().subspan(fed);
  const std::size_t count = cutting.normalize(fresh, ended);
  const std::size_t known = file.extents.size();
  CHUNKER_TRY_VOID(chunker.feed(fresh.first(count), file.extents));
  fed += count;
  if (ended) CHUNKER_TRY_VOID(chunker.finish(file.extents));
  const std::size_t used =
      describe(cut, std::span(file.extents).subspan(known), buffer, file.digests, file.profiles);
  std::memmove(buffer.data(), buffer.data() + used, buffer.size() - used);
  buffer.resize(buffer.size() - used);
  fed -= used;
  return {};
}

/// Reads, cuts and hashes up to kReadBytes more. False at the end.
Result<bool> read_more(FileCutting& cutting, Input& input, ProgressMeter& progress) {
  if (cutting.cut.stop.stop_requested()) {
    return base::fail(ErrorCode::cancelled, "stopped on request");
  }
  CpuUse* const cpu = cutting.cut.cpu.get();
  const std::size_t block_bytes = cpu != nullptr ? cpu->block_bytes(kReadBytes) : kReadBytes;
  ByteBuffer& buffer = cutting.buffer;
  const std::size_t old_size = buffer.size();
  CHUNKER_TRY_VOID(cutting.cut.budget->check_buffer(old_size + block_bytes));
  cutting.cut.budget->retrying([&] { buffer.resize(old_size + block_bytes); });
  CHUNKER_TRY(const std::size_t count, input.read(buffer.span().subspan(old_size)));
  buffer.resize(old_size + count);
  const bool ended = count < block_bytes;
  cutting.file.bytes += count;
  CHUNKER_TRY_VOID(cut_fresh(cutting, ended));
  progress.add_bytes(count);
  const auto passed = cpu != nullptr ? cpu->pass(count) : Result<void>();
  if (!ended) CHUNKER_TRY_VOID(passed);
  return !ended;
}

Result<void> read_all(FileCutting& cutting, Input& input, ProgressMeter& progress,
                      const ThreadsToSpare& threads_to_spare) {
  // The slabs of threads side by side are large: who is to yield often works alone.
  const bool yields = cutting.cut.cpu != nullptr && cutting.cut.cpu->yields();
  const bool may_share = !yields && cutting.cut.memory.may_share && fits_side_by_side(cutting);
  for (;;) {
    CHUNKER_TRY(const bool more, read_more(cutting, input, progress));
    if (!more) return {};
    if (!may_share || cutting.file.bytes < kAloneBytes) continue;
    const unsigned threads = threads_to_spare();
    if (threads > 1) return cut_side_by_side(cutting, input, progress, threads);
  }
}

}  // namespace

Result<FileCut> FileCut::make(const ChunkingOptions& chunking, const BatchOptions& batch) {
  CHUNKER_TRY(auto resolved, chunking.resolve());
  CHUNKER_TRY(auto normalizer, refs::ReferenceNormalizer::make_if_any(batch.store_prefix));
  CHUNKER_TRY(auto hash, ChunkHash::make(batch.hash, batch.hash_cache));
  CHUNKER_TRY_VOID(batch.quota.validate());
  const unsigned threads = threads_with_a_file(thread_count(batch.threads, batch.quota));
  FileCut cut{std::move(resolved), std::move(hash), std::move(normalizer), batch.profile_contents,
              batch.stop};
  if (batch.memory_budget != nullptr) cut.budget = batch.memory_budget;
  CHUNKER_TRY(cut.memory,
              plan_cut(*cut.budget, threads, NarAwareChunker(cut.chunking).bytes_kept_max()));
  cut.cpu = CpuUse::make_if_any(batch.quota, cut.memory.threads);
  return cut;
}

std::size_t describe(const FileCut& cut, std::span<const ChunkExtent> chunks, Bytes bytes,
                     std::vector<Digest>& digests, std::vector<ContentProfile>& profiles) {
  std::vector<Bytes> inputs;
  std::size_t used = 0;
  for (const ChunkExtent& chunk : chunks) {
    const auto size = static_cast<std::size_t>(chunk.size_bytes);
    inputs.push_back(bytes.subspan(used, size));
    used += size;
  }
  const std::size_t known = digests.size();
  digests.resize(known + inputs.size());
  cut.hash.hash_many(inputs, std::span(digests).subspan(known));
  if (cut.profile_contents) {
    std::ranges::transform(inputs, std::back_inserter(profiles), profile_content);
  }
  return used;
}

Result<FileChunks> chunk_file(const std::filesystem::path& path, const FileCut& cut,
                              ByteBuffer& buffer, ProgressMeter& progress,
                              const ThreadsToSpare& threads_to_spare) {
  CHUNKER_TRY(const auto input,
              open_input({IngestSource::Kind::nar_file, path, -1, std::string()}, cut.stop));
  FileCutting cutting(cut, buffer);
  CHUNKER_TRY_VOID(read_all(cutting, *input, progress, threads_to_spare));
  FileChunks file = std::move(cutting.file);
  file.path = path;
  file.is_nar = cutting.chunker.is_nar();
  file.entries = std::move(cutting.chunker.entries());
  if (cutting.normalizer) file.references = std::move(*cutting.normalizer).take();
  return file;
}

}  // namespace chunker::pipeline
