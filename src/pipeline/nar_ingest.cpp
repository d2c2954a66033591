#include "pipeline/nar_ingest.hpp"

#include <tbb/task_arena.h>

#include <algorithm>
#include <utility>

#include "base/try.hpp"
#include "delta/package_name.hpp"
#include "pipeline/workers.hpp"
#include "store/manifest_format.hpp"

namespace chunker::pipeline {
namespace {

/// What the normalizer may keep back at the end of a slab, rounded up.
constexpr std::size_t kHeldBackBytes = 4 << 10;
constexpr std::uint64_t kKeptAtOnce = 16 << 20;
/// An entry and its path, on average.
constexpr std::size_t kEntryBytes = sizeof(NarEntry) + 64;

}  // namespace

NarIngest::NarIngest(const IngestShared& shared, IngestOrder order)
    : shared_(shared),
      budget_(*shared.parts.memory),
      order_(std::move(order)),
      normalizer_(shared.normalizer),
      chunker_(shared.chunking),
      sha256_(shared.hashes) {}

void NarIngest::fail(Error error) {
  const base::Lock lock(error_mutex_);
  if (!error_) error_ = std::move(error);
  failed_ = true;
}

std::unique_ptr<Slab> NarIngest::read_and_cut() {
  auto slab = shared_.slabs.take();
  slab->nar = this;
  auto filled = catching([&] { return fill(*slab); });
  if (!filled) fail(std::move(filled).error());
  slab->is_last = is_read_ || failed_;
  if (slab->is_last) input_.reset();
  return slab;
}

Result<void> NarIngest::open() {
  if (shared_.stop.stop_requested()) {
    return base::fail(ErrorCode::cancelled, "stopped on request");
  }
  if (shared_.cpu != nullptr) CHUNKER_TRY_VOID(shared_.cpu->check_limit());
  const std::string& name = order_.source->name;
  if (name.size() > store::kNameBytesMax || name.find('\0') != std::string::npos) {
    return base::fail(ErrorCode::invalid_argument, "a name has 1 to 4096 bytes and no NUL");
  }
  CHUNKER_TRY(input_, open_input(*order_.source, shared_.stop));
  package_ = delta::package_name(name_of(*order_.source));
  return {};
}

void NarIngest::take_rest(Slab& slab) {
  slab.chunks.clear();
  slab.older.clear();
  slab.taken_out.clear();
  slab.chunk_list.clear();
  slab.waits_for.clear();
  if (slab.bytes.capacity() == 0) slab.bytes = budget_.allocate(slab_room());
  slab.bytes.clear();
  slab.bytes.append(carry_);
  slab.fresh_begin = slab.fresh_end = carry_cut_;
  slab.offset_bytes = carry_offset_;
}

/// Reads until a chunk is certain or the input ends.
Result<void> NarIngest::fill(Slab& slab) {
  take_rest(slab);
  if (failed_) return {};
  if (input_ == nullptr) CHUNKER_TRY_VOID(open());
  while (slab.chunks.empty() && !is_read_) CHUNKER_TRY_VOID(read_more(slab));
  if (slab.chunks.empty()) return {};
  chunk_count_ += slab.chunks.size();
  CHUNKER_TRY_VOID(reserve_lists());
  // Of a NAR of one slab the chunks can be asked first whether they are new: look_back_if_new().
  if (slab.offset_bytes == 0 && !is_read_) CHUNKER_TRY_VOID(find_older_version());
  find_in_older_version(slab);
  keep_rest(slab);
  return {};
}

Result<void> NarIngest::read_more(Slab& slab) {
  if (shared_.stop.stop_requested()) {
    return base::fail(ErrorCode::cancelled, "stopped on request");
  }
  if (shared_.cpu != nullptr) CHUNKER_TRY_VOID(shared_.cpu->pass(0));
  const std::size_t old_size = slab.bytes.size();
  const std::size_t wanted = shared_.memory.slab_bytes;
  CHUNKER_TRY_VOID(budget_.check_buffer(old_size + wanted));
  budget_.retrying([&] { slab.bytes.resize(old_size + wanted); });
  CHUNKER_TRY(const std::size_t count, input_->read(slab.bytes.span().subspan(old_size)));
  slab.bytes.resize(old_size + count);
  is_read_ = count < wanted;
  const std::size_t final_bytes = normalize(slab);
  CHUNKER_TRY_VOID(
      chunker_.feed(slab.bytes.view().subspan(slab.fresh_end, final_bytes), slab.chunks));
  slab.fresh_end += final_bytes;
  if (slab.offset_bytes == 0) CHUNKER_TRY_VOID(check_is_nar(slab.bytes));
  if (is_read_) CHUNKER_TRY_VOID(chunker_.finish(slab.chunks));
  shared_.progress.add_bytes(count);
  return {};
}

/// Room for one slab: with nothing certain in what was left over, a whole chunk and its look-ahead wait there. Where
/// chunks may be huge it grows when they are.
std::size_t NarIngest::slab_room() const noexcept {
  return static_cast<std::size_t>(std::min(chunker_.bytes_kept_max(), kKeptAtOnce)) +
         shared_.memory.slab_bytes + kHeldBackBytes;
}

/// The lists grow with the NAR, and for a moment what grows is there twice.
Result<void> NarIngest::reserve_lists() {
  if (!budget_.is_limited()) return {};
  std::size_t bytes = chunker_.entries().size() * kEntryBytes +
                      chunk_count_ * (sizeof(ChunkReference) + sizeof(Digest));
  if (normalizer_) bytes += normalizer_->found().positions.size() * sizeof(References::Position);
  bytes += bytes / 2;
  std::size_t reserved = kNarListBytes;
  for (const auto& part : lists_) reserved += part.bytes();
  if (bytes <= reserved) return {};
  CHUNKER_TRY(auto more, budget_.reserve(bytes - reserved + kNarListBytes));
  lists_.push_back(std::move(more));
  return {};
}

/// Takes the references out of what follows the fresh bytes; returns how much of it is final.
std::size_t NarIngest::normalize(Slab& slab) {
  const MutableBytes data = slab.bytes.span().subspan(slab.fresh_end);
  if (!normalizer_) return data.size();
  const auto& found = normalizer_->found();
  std::size_t next = found.positions.size();
  const std::size_t final_bytes = normalizer_->normalize(data, is_read_);
  for (; next < found.positions.size(); ++next) {
    const auto& position = found.positions[next];
    slab.taken_out.push_back({position.offset_bytes, found.hashes[position.hash_index]});
  }
  return final_bytes;
}

void NarIngest::keep_rest(const Slab& slab) {
  const ChunkExtent& last = slab.chunks.back();
  carry_offset_ = last.offset_bytes + last.size_bytes;
  const auto rest_begin = static_cast<std::size_t>(carry_offset_ - slab.offset_bytes);
  carry_.clear();
  carry_.append(slab.bytes.view().subspan(rest_begin));
  carry_cut_ = slab.fresh_end - rest_begin;
}

Result<void> NarIngest::check_is_nar(Bytes head) {
  if (chunker_.is_nar()) return {};
  if (kNarMagic.starts_with(text_of(head))) {
    return base::fail(ErrorCode::nar_truncated, "the input ends inside the NAR's magic",
                      head.size());
  }
  return base::fail(ErrorCode::nar_bad_magic, "this is not a NAR: it does not begin with its magic",
                    0);
}

void NarIngest::store_chunks(Slab& slab) {
  if (failed_) return;
  // Isolated: if a hash or codec of the caller's uses TBB, a thread that waits there must not put another slab with the
  // same FrameBuilder.
  auto stored =
      catching([&] { return tbb::this_task_arena::isolate([&] { return hash_and_put(slab); }); });
  if (!stored) fail(std::move(stored).error());
}

Result<void> NarIngest::hash_and_put(Slab& slab) {
  std::vector<ChunkBytes> chunks;
  chunks.reserve(slab.chunks.size());
  std::vector<Bytes> inputs;
  for (const ChunkExtent& chunk : slab.chunks) inputs.push_back(slab.bytes_of(chunk));
  std::vector<Digest> digests(inputs.size());
  shared_.hash.hash_many(inputs, digests);
  if (slab.is_last && slab.offset_bytes == 0) CHUNKER_TRY_VOID(look_back_if_new(slab, digests));
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    chunks.push_back({digests[i], inputs[i], older_ ? slab.older[i] : OlderRange{}});
    slab.chunk_list.push_back({digests[i], inputs[i].size()});
  }
  SuggestBase suggest_base;
  if (shared_.deltas) suggest_base = [this](auto frame) { return base_around(frame); };
  CHUNKER_TRY(slab.stored, shared_.builders.local().put_new(chunks, suggest_base, slab.waits_for));
  if (shared_.cpu == nullptr) return {};
  if (!slab.is_last) return shared_.cpu->pass(slab.bytes.size());
  shared_.cpu->spend(slab.bytes.size());  // So close to its end no NAR is given up.
  return {};
}

std::vector<Digest> NarIngest::base_around(std::span<const ChunkBytes> chunks) const {
  if (!older_) return {};
  std::vector<OlderRange> ranges;
  for (const ChunkBytes& chunk : chunks) ranges.push_back(chunk.older);
  return older_->chunks_around(std::move(ranges), DeltaEncoder::kBaseBytesMax);
}

void NarIngest::collect(std::unique_ptr<Slab> slab) {
  const bool is_last = slab->is_last;
  auto collected = catching([&]() -> Result<void> {
    for (const refs::Reference& reference : slab->taken_out) {
      refs::restore_reference(reference, slab->offset_bytes, slab->bytes.span());
    }
    manifest_.chunks.insert(manifest_.chunks.end(), slab->chunk_list.begin(),
                            slab->chunk_list.end());
    waits_for_.insert(waits_for_.end(), slab->waits_for.begin(), slab->waits_for.end());
    stored_ += std::exchange(slab->stored, {});
    const Bytes fresh = slab->fresh();
    const std::uint64_t held_bytes = slab->bytes.capacity();
    sha256_.update(
        fresh,
        [&slabs = shared_.slabs, held = slab.release()] {
          slabs.give(std::unique_ptr<Slab>(held));
        },
        held_bytes);
    return {};
  });
  if (!collected) fail(std::move(collected).error());
  if (is_last) end();
}

void NarIngest::end() {
  auto staged = catching([&]() -> Result<void> {
    {
      const base::Lock lock(error_mutex_);
      if (error_) return std::unexpected(*std::move(error_));
    }
    return stage();
  });
  if (!staged) order_.report(std::unexpected(std::move(staged).error()));
  if (staged && shared_.cpu != nullptr) shared_.cpu->finish_one();
  order_.on_end();
  ended_ = true;
}

Result<void> NarIngest::find_older_version() {
  if (!shared_.deltas || package_.empty() || std::exchange(looked_for_older_, true)) return {};
  // Only what is durable can be a base.
  if (shared_.under_way.contains(package_)) CHUNKER_TRY_VOID(shared_.writer.settle());
  older_ = OlderVersion::find(shared_.parts, name_of(*order_.source));
  return {};
}

void NarIngest::find_in_older_version(Slab& slab) {
  if (!older_) return;
  for (const ChunkExtent& chunk : slab.chunks) {
    slab.older.push_back(older_->range_of(chunk, chunker_.entries()));
  }
}

/// Reading the older version is a tenth of what a small NAR costs that is known (bench/RESULTS.md, "Small NARs").
Result<void> NarIngest::look_back_if_new(Slab& slab, std::span<const Digest> digests) {
  if (!shared_.deltas || package_.empty()) return {};
  CHUNKER_TRY(const auto found, shared_.parts.index->chunks(digests));
  const auto is_known = [](const auto& location) { return location.has_value(); };
  if (std::ranges::all_of(found, is_known)) return {};
  CHUNKER_TRY_VOID(find_older_version());
  find_in_older_version(slab);
  return {};
}

/// The large parts of the manifest are kept like chunks.
Result<void> NarIngest::put_pieces(const store::EncodedManifest& encoded) {
  std::vector<ChunkBytes> pieces;
  for (const auto& piece : encoded.pieces) pieces.push_back({piece.digest, piece.bytes});
  if (pieces.empty()) return {};
  // A list of chunks of which few are new resembles the list before it.
  CHUNKER_TRY_VOID(find_older_version());
  SuggestBase suggest_base;
  if (older_) {
    suggest_base = [this](auto) {
      return std::vector<Digest>(older_->pieces().begin(), older_->pieces().end());
    };
  }
  CHUNKER_TRY(const StoredBytes stored,
              shared_.builders.local().put_new(pieces, suggest_base, waits_for_));
  stored_.stored_bytes += stored.stored_bytes;
  add_uses(stored_.codecs, stored.codecs);
  return {};
}

IngestedNar NarIngest::summary() const {
  IngestedNar nar;
  nar.name = name_of(*order_.source);
  if (nar.name.empty()) nar.name = manifest_.nar_sha256.hex();
  nar.nar_sha256 = manifest_.nar_sha256;
  nar.nar_bytes = manifest_.nar_bytes;
  nar.references = manifest_.references.positions.size();
  nar.chunks = manifest_.chunks.size();
  nar.new_chunks = stored_.chunks;
  nar.new_raw_bytes = stored_.raw_bytes;
  nar.new_stored_bytes = stored_.stored_bytes;
  nar.delta_raw_bytes = stored_.delta_raw_bytes;
  nar.delta_stored_bytes = stored_.delta_stored_bytes;
  nar.algorithms = stored_.codecs;
  add_use(nar.algorithms, {shared_.hash.algorithm().info(), nar.chunks, nar.nar_bytes,
                           nar.chunks * Digest::kBytes});
  add_use(nar.algorithms, {HashAlgorithm::sha256().info(), 1, nar.nar_bytes, Digest::kBytes});
  return nar;
}

Result<void> NarIngest::stage() {
  manifest_.nar_sha256 = sha256_.finish();
  manifest_.nar_bytes = carry_offset_;
  manifest_.recipe = shared_.recipe;
  manifest_.entries = std::move(chunker_.entries());
  if (normalizer_) manifest_.references = std::move(*normalizer_).take();
  CHUNKER_TRY(auto encoded, store::encode_manifest(manifest_, shared_.hash.algorithm()));
  CHUNKER_TRY_VOID(put_pieces(encoded));

  IngestedNar nar = summary();
  store::StagedNar staged;
  staged.name = nar.name;
  staged.record = {encoded.bytes.size(), nar.nar_sha256, nar.nar_bytes, nar.chunks};
  staged.manifest = std::move(encoded.bytes);
  staged.waits_for = std::move(waits_for_);
  shared_.under_way.add(package_);
  staged.on_durable = [nar, report = order_.report, package = package_,
                       &under_way = shared_.under_way](const auto& durable) mutable {
    under_way.remove(package);
    if (!durable) return report(std::unexpected(durable.error()));
    nar.older_kept_as = durable->older_kept_as;
    report(nar);
  };
  auto put = shared_.writer.put_nar(std::move(staged));
  if (!put) shared_.under_way.remove(package_);
  return put;
}

}  // namespace chunker::pipeline
