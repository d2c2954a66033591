#include "pipeline/nar_restore.hpp"

#include <algorithm>
#include <utility>

#include "base/try.hpp"
#include "pipeline/workers.hpp"
#include "store/manifest_reader.hpp"
#include "store/second_look.hpp"

namespace chunker::pipeline {
namespace {

/// Chunks located in one look-up.
constexpr std::size_t kLocateAhead = 256;

/// Whether `next` can be decoded along with the one before it: the same frame, and further on in it, since
/// a chunk that comes twice has other references each time.
bool follows(const FrameRun::Piece& before, const FrameRun::Piece& next) {
  return next.location.same_frame(before.location) &&
         next.location.offset_in_frame > before.location.offset_in_frame;
}

}  // namespace

void NarRestore::fail(Error error) {
  const bool lacks =
      error.code == ErrorCode::store_chunk_missing || error.code == ErrorCode::store_not_found;
  if (lacks && was_removed()) {
    error = {ErrorCode::store_not_found, "this NAR was removed since the store was opened",
             Error::kNoOffset, order_.nar_sha256.hex()};
  }
  const base::Lock lock(error_mutex_);
  if (!error_) error_ = std::move(error);
  failed_ = true;
}

/// Does `work` unless the NAR has failed.
template <class Work>
void NarRestore::attempt(Work work) {
  if (failed_) return;
  if (auto done = catching(work); !done) fail(std::move(done).error());
}

std::unique_ptr<FrameRun> NarRestore::plan() {
  auto run = shared_.runs.take();
  run->nar = this;
  run->pieces.clear();
  attempt([&] { return plan_pieces(*run); });
  if (failed_) run->pieces.clear();
  return run;
}

Result<void> NarRestore::plan_pieces(FrameRun& run) {
  if (shared_.stop.stop_requested()) {
    return base::fail(ErrorCode::cancelled, "stopped on request");
  }
  if (!begun_) CHUNKER_TRY_VOID(begin());
  begun_ = true;
  if (ahead_next_ == ahead_.size()) CHUNKER_TRY_VOID(locate_ahead());
  while (ahead_next_ < ahead_.size() &&
         (run.pieces.empty() || follows(run.pieces.back(), ahead_[ahead_next_]))) {
    run.pieces.push_back(ahead_[ahead_next_++]);
  }
  run.has_last = ahead_next_ == ahead_.size() && located_ == chunks_.size();
  return {};
}

Result<void> NarRestore::begin() {
  if (shared_.cpu != nullptr) CHUNKER_TRY_VOID(shared_.cpu->check_limit());
  const Store::Parts* from = nullptr;
  CHUNKER_TRY(const std::uint64_t nar_bytes,
              store::with_second_look(shared_.parts, [&](Store::Parts& parts) {
                from = &parts;
                return read_lists(parts);
              }));
  // It may be there again with other chunks, which an index from before does not know.
  if (from != &shared_.parts) {
    CHUNKER_TRY(newer_, shared_.parts.newer());
  }
  if (order_.range) narrow(*order_.range);
  return order_.on_begin ? order_.on_begin(nar_bytes) : Result<void>();
}

/// Returns the size of the NAR.
Result<std::uint64_t> NarRestore::read_lists(Store::Parts& parts) {
  CHUNKER_TRY(const auto head, store::read_manifest_head(parts, order_.nar_sha256));
  const auto& range = order_.range;
  if (range && (range->offset_bytes > head.nar_bytes ||
                range->size_bytes > head.nar_bytes - range->offset_bytes)) {
    return base::fail(ErrorCode::invalid_argument, "the range lies outside the NAR",
                      head.nar_bytes);
  }
  CHUNKER_TRY_VOID(reserve_lists(head));
  CHUNKER_TRY(chunks_, store::read_chunk_list(parts, head));
  CHUNKER_TRY(references_, store::read_references(parts, head));
  return head.nar_bytes;
}

/// Encoded and decoded: what a reference takes here is a few times what it takes there.
Result<void> NarRestore::reserve_lists(const store::ManifestHead& head) {
  constexpr std::uint64_t kDecodedTimes = 8;
  MemoryBudget& budget = *shared_.parts.memory;
  if (!budget.is_limited()) return {};
  std::uint64_t bytes = 2 * head.chunk_list.raw_bytes;
  bytes += (1 + kDecodedTimes) * (head.hash_list.raw_bytes + head.position_list.raw_bytes);
  if (bytes <= kNarListBytes) return {};
  lists_ = {};  // Of a first look.
  CHUNKER_TRY(lists_, budget.reserve(static_cast<std::size_t>(bytes)));
  return {};
}

/// Leaves out what lies outside `range`.
void NarRestore::narrow(ByteRange range) {
  const std::uint64_t end = range.offset_bytes + range.size_bytes;
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

/// Looks up where the next chunks lie, if there are any.
Result<void> NarRestore::locate_ahead() {
  ahead_.clear();
  ahead_next_ = 0;
  const std::size_t count = std::min(kLocateAhead, chunks_.size() - located_);
  if (count == 0) return {};
  std::vector<Digest> digests;
  for (std::size_t i = 0; i < count; ++i) digests.push_back(chunks_[located_ + i].digest);
  const Store::Parts& parts = newer_ ? newer_->parts() : shared_.parts;
  CHUNKER_TRY(const auto locations, parts.index->chunks(digests));
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
  return {};
}

void NarRestore::decode(FrameRun& run) {
  attempt([&] { return decode_frame(run); });
}

Result<void> NarRestore::decode_frame(FrameRun& run) {
  if (run.pieces.empty()) return {};
  auto loaded = newer_ ? load_elsewhere(run) : load_frame(run);
  if (!newer_ && !loaded && store::may_have_moved(shared_.parts, loaded.error())) {
    loaded = load_elsewhere(run);
  }
  if (!loaded) return loaded;
  for (const FrameRun::Piece& piece : run.pieces) {
    refs::restore_references(references_, piece.offset_bytes, run.bytes_of(piece));
  }
  if (shared_.cpu == nullptr) return {};
  if (!run.has_last) return shared_.cpu->pass(run.frame.size());
  shared_.cpu->spend(run.frame.size());  // So close to its end no NAR is given up.
  return {};
}

Result<void> NarRestore::load_frame(FrameRun& run) {
  store::FrameReader& reader = shared_.readers.local();
  CHUNKER_TRY_VOID(reader.load(run.pieces.front().location));
  for (const FrameRun::Piece& piece : run.pieces) {
    CHUNKER_TRY_VOID(reader.chunk(piece.digest, piece.location));
  }
  run.frame = reader.take();
  return {};
}

/// Each chunk by itself, wherever it lies by now.
Result<void> NarRestore::load_elsewhere(FrameRun& run) {
  run.frame.clear();
  for (FrameRun::Piece& piece : run.pieces) {
    piece.location.offset_in_frame = run.frame.size();
    CHUNKER_TRY_VOID(store::with_second_look(shared_.parts, [&](Store::Parts& parts) {
      store::FrameReader reader(parts);
      return store::fetch_pieces(parts, reader)(piece.digest, run.frame);
    }));
  }
  return {};
}

/// Since this store was opened, by another process.
bool NarRestore::was_removed() const {
  Store::Parts& parts = shared_.parts;
  const auto before = parts.index->manifest(order_.nar_sha256);
  if (parts.options.access != StoreAccess::read || !before || !*before) return false;
  const auto newer = parts.newer();
  if (!newer) return false;
  const auto now = (*newer)->parts().index->manifest(order_.nar_sha256);
  return now && !*now;
}

/// What is to go out of the bytes that lie at `offset_bytes`.
Bytes NarRestore::wanted(Bytes bytes, std::uint64_t offset_bytes) const {
  if (!order_.range) return bytes;
  const std::uint64_t begin = std::max(order_.range->offset_bytes, offset_bytes);
  const std::uint64_t end =
      std::min(order_.range->offset_bytes + order_.range->size_bytes, offset_bytes + bytes.size());
  return bytes.subspan(static_cast<std::size_t>(begin - offset_bytes),
                       static_cast<std::size_t>(end - begin));
}

void NarRestore::write(FrameRun& run) {
  attempt([&]() -> Result<void> {
    for (const FrameRun::Piece& piece : run.pieces) {
      const Bytes bytes = wanted(run.bytes_of(piece), piece.offset_bytes);
      CHUNKER_TRY_VOID(order_.sink(bytes));
      if (shared_.progress != nullptr) shared_.progress->add_bytes(bytes.size());
    }
    return {};
  });
}

void NarRestore::hash(std::unique_ptr<FrameRun> run) {
  FrameRun& used = *run.release();
  used.uses = 1;
  const NarHashes::Release release = [&shared = shared_, &used] {
    if (--used.uses != 0) return;
    shared.parts.scratch.give(std::move(used.frame));
    shared.runs.give(std::unique_ptr<FrameRun>(&used));
  };
  if (!order_.range) {
    attempt([&]() -> Result<void> {
      for (const FrameRun::Piece& piece : used.pieces) {
        const bool last = &piece == &used.pieces.back();
        ++used.uses;
        sha256_.update(used.bytes_of(piece), release, last ? used.frame.capacity() : 0);
      }
      return {};
    });
  }
  release();
}

void NarRestore::end() {
  attempt([&] { return verify(); });
  attempt([&] { return order_.on_verified ? order_.on_verified() : Result<void>(); });
  Result<void> result;
  {
    const base::Lock lock(error_mutex_);
    if (error_) result = std::unexpected(*std::exchange(error_, std::nullopt));
  }
  if (result && shared_.cpu != nullptr) shared_.cpu->finish_one();
  const auto on_end = std::exchange(order_, {}).on_end;
  on_end(std::move(result));
  ended_ = true;
}

Result<void> NarRestore::verify() {
  if (!order_.range && sha256_.finish() != order_.nar_sha256) {
    return base::fail(ErrorCode::digest_mismatch, "the restored NAR does not have its hash",
                      Error::kNoOffset, order_.nar_sha256.hex());
  }
  return {};
}

}  // namespace chunker::pipeline
