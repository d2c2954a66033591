#include "pipeline/nar_restore.hpp"

#include <tbb/parallel_pipeline.h>
#include <tbb/task_arena.h>

#include <algorithm>
#include <atomic>
#include <optional>
#include <utility>

#include "base/mutex.hpp"
#include "base/try.hpp"
#include "pipeline/workers.hpp"
#include "refs/references.hpp"
#include "store/manifest_reader.hpp"

namespace chunker::pipeline {
namespace {

constexpr std::size_t kRunsPerThread = 3;
/// Chunks located in one look-up.
constexpr std::size_t kLocateAhead = 256;

class NarRestore {
 public:
  NarRestore(const RestoreShared& shared, std::vector<ChunkReference> chunks, References references,
             const ByteSink& sink)
      : shared_(shared),
        chunks_(std::move(chunks)),
        references_(std::move(references)),
        sink_(sink),
        sha256_(shared.hashes) {}

  /// Leaves out what lies outside `range`.
  void narrow(ByteRange range);
  Result<void> run();
  /// The hash of the whole NAR, if it was not narrowed.
  Digest digest() { return sha256_.finish(); }

 private:
  FrameRun* plan(tbb::flow_control& flow);
  Result<bool> locate_ahead();
  void decode(FrameRun& run);
  Result<void> decode_frame(FrameRun& run);
  void hash(FrameRun* run);
  Bytes wanted(Bytes bytes, std::uint64_t offset_bytes) const;
  void write(FrameRun& run);
  void fail(Error error);

  const RestoreShared& shared_;
  std::vector<ChunkReference> chunks_;
  const References references_;
  std::optional<ByteRange> range_;
  const ByteSink& sink_;
  std::size_t located_ = 0;  ///< Chunks looked up so far.
  std::uint64_t located_bytes_ = 0;
  std::vector<FrameRun::Piece> ahead_;
  std::size_t ahead_next_ = 0;
  NarHashes::Stream sha256_;

  std::atomic<bool> failed_{false};
  base::Mutex error_mutex_;
  std::optional<Error> error_ CHUNKER_GUARDED_BY(error_mutex_);
};

void NarRestore::fail(Error error) {
  const base::Lock lock(error_mutex_);
  if (!error_) error_ = std::move(error);
  failed_ = true;
}

void NarRestore::narrow(ByteRange range) {
  const std::uint64_t end = range.offset_bytes + range.size_bytes;
  range_ = range;
  std::size_t first = 0, behind = 0;
  std::uint64_t offset = 0;
  for (; behind < chunks_.size() && offset < end; ++behind) {
    offset += chunks_[behind].size_bytes;
    if (offset > range.offset_bytes) continue;
    first = behind + 1;
    located_bytes_ = offset;
  }
  chunks_.resize(behind);
  located_ = first;
}

/// Looks up where the next chunks lie; false if there are none.
Result<bool> NarRestore::locate_ahead() {
  ahead_.clear();
  ahead_next_ = 0;
  const std::size_t count = std::min(kLocateAhead, chunks_.size() - located_);
  if (count == 0) return false;
  std::vector<Digest> digests;
  for (std::size_t i = 0; i < count; ++i) digests.push_back(chunks_[located_ + i].digest);
  CHUNKER_TRY(const auto locations, shared_.parts.index->chunks(digests));
  for (std::size_t i = 0; i < count; ++i) {
    if (!locations[i]) {
      return base::fail(ErrorCode::store_chunk_missing, "the store does not have this chunk",
                        Error::kNoOffset, digests[i].hex());
    }
    if (locations[i]->chunk_bytes != chunks_[located_ + i].size_bytes) {
      return base::fail(ErrorCode::store_corrupt, "manifest and index disagree on a chunk's size",
                        Error::kNoOffset, digests[i].hex());
    }
    ahead_.push_back({digests[i], *locations[i], located_bytes_});
    located_bytes_ += locations[i]->chunk_bytes;
  }
  located_ += count;
  return true;
}

/// Whether `next` can be decoded along with the one before it: the same frame, and further on in it, since
/// a chunk that comes twice has other references each time.
bool follows(const FrameRun::Piece& before, const FrameRun::Piece& next) {
  return next.location.same_frame(before.location) &&
         next.location.offset_in_frame > before.location.offset_in_frame;
}

/// Stage 1, in order: the next chunks that lie in one frame.
FrameRun* NarRestore::plan(tbb::flow_control& flow) {
  if (shared_.stop.stop_requested()) {
    fail({ErrorCode::cancelled, "stopped on request"});
  } else if (!failed_ && ahead_next_ == ahead_.size()) {
    if (auto more = locate_ahead(); !more) fail(std::move(more).error());
  }
  if (failed_ || ahead_next_ == ahead_.size()) {
    flow.stop();
    return nullptr;
  }
  auto run = shared_.runs.take();
  run->pieces.clear();
  do {
    run->pieces.push_back(ahead_[ahead_next_++]);
  } while (ahead_next_ < ahead_.size() && follows(run->pieces.back(), ahead_[ahead_next_]));
  return run.release();
}

/// Stage 2, side by side: read, decode, verify each chunk, put the references back.
void NarRestore::decode(FrameRun& run) {
  if (failed_) return;
  auto decoded = catching([&] { return decode_frame(run); });
  if (!decoded) fail(std::move(decoded).error());
}

Result<void> NarRestore::decode_frame(FrameRun& run) {
  store::FrameReader& reader = shared_.readers.local();
  CHUNKER_TRY_VOID(reader.load(run.pieces.front().location));
  for (const FrameRun::Piece& piece : run.pieces) {
    CHUNKER_TRY_VOID(reader.chunk(piece.digest, piece.location));
  }
  run.frame = reader.take();
  for (const FrameRun::Piece& piece : run.pieces) {
    refs::restore_references(references_, piece.offset_bytes, run.bytes_of(piece));
  }
  return {};
}

/// What is to go out of the bytes that lie at `offset_bytes`.
Bytes NarRestore::wanted(Bytes bytes, std::uint64_t offset_bytes) const {
  if (!range_) return bytes;
  const std::uint64_t begin = std::max(range_->offset_bytes, offset_bytes);
  const std::uint64_t end =
      std::min(range_->offset_bytes + range_->size_bytes, offset_bytes + bytes.size());
  return bytes.subspan(static_cast<std::size_t>(begin - offset_bytes),
                       static_cast<std::size_t>(end - begin));
}

/// Stage 3, in order: out.
void NarRestore::write(FrameRun& run) {
  for (const FrameRun::Piece& piece : run.pieces) {
    if (failed_) return;
    const Bytes bytes = wanted(run.bytes_of(piece), piece.offset_bytes);
    if (auto written = sink_(bytes); !written) fail(std::move(written).error());
    if (shared_.progress != nullptr) shared_.progress->add_bytes(bytes.size());
  }
}

/// Stage 4, in order: the NAR's own hash. Last, because pieces may wait there.
void NarRestore::hash(FrameRun* run) {
  const NarHashes::Release release = [&shared = shared_, run] {
    shared.parts.scratch.give(std::move(run->frame));
    shared.runs.give(std::unique_ptr<FrameRun>(run));
  };
  if (failed_ || range_) return release();
  const std::size_t last = run->pieces.size() - 1;
  for (std::size_t i = 0; i < last; ++i) sha256_.update(run->bytes_of(run->pieces[i]));
  sha256_.update(run->bytes_of(run->pieces[last]), release, run->frame.capacity());
}

Result<void> NarRestore::run() {
  using tbb::filter_mode;
  tbb::this_task_arena::isolate([&] {
    tbb::parallel_pipeline(
        kRunsPerThread * shared_.threads,
        tbb::make_filter<void, FrameRun*>(filter_mode::serial_in_order,
                                          [this](tbb::flow_control& flow) { return plan(flow); }) &
            tbb::make_filter<FrameRun*, FrameRun*>(filter_mode::parallel,
                                                   [this](FrameRun* run) {
                                                     decode(*run);
                                                     return run;
                                                   }) &
            tbb::make_filter<FrameRun*, FrameRun*>(filter_mode::serial_in_order,
                                                   [this](FrameRun* run) {
                                                     write(*run);
                                                     return run;
                                                   }) &
            tbb::make_filter<FrameRun*, void>(filter_mode::serial_in_order,
                                              [this](FrameRun* run) { hash(run); }));
  });
  const base::Lock lock(error_mutex_);
  if (error_) return std::unexpected(*std::exchange(error_, std::nullopt));
  return {};
}

}  // namespace

Result<void> restore_nar(const RestoreShared& shared, const Digest& nar_sha256,
                         std::optional<ByteRange> range, const ByteSink& sink,
                         const std::function<Result<void>(std::uint64_t)>& on_size) {
  CHUNKER_TRY(const auto head, store::read_manifest_head(shared.parts, nar_sha256));
  if (range && (range->offset_bytes > head.nar_bytes ||
                range->size_bytes > head.nar_bytes - range->offset_bytes)) {
    return base::fail(ErrorCode::invalid_argument, "the range lies outside the NAR",
                      head.nar_bytes);
  }
  CHUNKER_TRY(auto chunks, store::read_chunk_list(shared.parts, head));
  CHUNKER_TRY(auto references, store::read_references(shared.parts, head));
  if (on_size) CHUNKER_TRY_VOID(on_size(head.nar_bytes));
  NarRestore nar(shared, std::move(chunks), std::move(references), sink);
  if (range) nar.narrow(*range);
  CHUNKER_TRY_VOID(nar.run());
  if (!range && nar.digest() != nar_sha256) {
    return base::fail(ErrorCode::digest_mismatch, "the restored NAR does not have its hash",
                      Error::kNoOffset, nar_sha256.hex());
  }
  return {};
}

}  // namespace chunker::pipeline
