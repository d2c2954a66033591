#include "pipeline/nar_ingest.hpp"

#include <tbb/parallel_pipeline.h>
#include <tbb/task_arena.h>

#include <algorithm>
#include <atomic>
#include <utility>

#include "base/try.hpp"
#include "delta/package_name.hpp"
#include "pipeline/workers.hpp"
#include "store/manifest_format.hpp"

namespace chunker::pipeline {
namespace {

/// Long enough that a stage's overhead vanishes and that frames fill, short enough that a 100 MB NAR has
/// work for every thread and few of them fit into memory at once.
constexpr std::size_t kSlabBytes = 4 << 20;
/// Slabs under way per thread: one being worked on, one waiting for its turn in a serial stage.
constexpr std::size_t kSlabsPerThread = 2;

class NarIngest {
 public:
  NarIngest(const IngestShared& shared, const IngestSource& source, std::unique_ptr<Input> input)
      : shared_(shared),
        source_(source),
        input_(std::move(input)),
        normalizer_(shared.normalizer),
        chunker_(shared.chunking),
        sha256_(shared.hashes) {}

  Result<void> find_older_version();
  Result<void> run();
  Result<void> stage(std::function<void(const Result<IngestedNar>&)> on_durable);

 private:
  using SlabPtr = Slab*;

  SlabPtr read_and_cut();
  void run_side_by_side(std::unique_ptr<Slab> first);
  Result<bool> fill(Slab& slab);
  Result<void> read_more(Slab& slab);
  std::size_t normalize(Slab& slab);
  void begin(Slab& slab);
  void keep_rest(const Slab& slab);
  Result<void> check_is_nar(Bytes head);
  void store_chunks(Slab& slab);
  std::vector<Digest> base_around(std::span<const ChunkBytes> chunks) const;
  Result<void> hash_and_put(Slab& slab);
  void hash_and_collect(SlabPtr slab);
  void fail(Error error);
  Result<void> put_pieces(const store::EncodedManifest& encoded);

  const IngestShared& shared_;
  const IngestSource& source_;
  std::unique_ptr<Input> input_;
  std::optional<refs::ReferenceNormalizer> normalizer_;
  NarAwareChunker chunker_;
  ByteBuffer carry_;           ///< What lies behind the last chunk.
  std::size_t carry_cut_ = 0;  ///< How much of it the chunker has seen.
  std::uint64_t carry_offset_ = 0;
  std::string package_;
  std::shared_ptr<const OlderVersion> older_;
  bool ended_ = false;
  NarHashes::Stream sha256_;
  Manifest manifest_;
  std::vector<Digest> waits_for_;
  StoredBytes stored_;

  std::atomic<bool> failed_{false};
  base::Mutex error_mutex_;
  std::optional<Error> error_ CHUNKER_GUARDED_BY(error_mutex_);
};

void NarIngest::fail(Error error) {
  const base::Lock lock(error_mutex_);
  if (!error_) error_ = std::move(error);
  failed_ = true;
}

/// Stage 1, in order: the next bytes, without their references, and the chunks that end in them; null at the end.
NarIngest::SlabPtr NarIngest::read_and_cut() {
  if (ended_ || failed_) return nullptr;
  auto slab = shared_.slabs.take();
  const auto filled = catching([&] { return fill(*slab); });
  if (filled && *filled) return slab.release();
  if (!filled) fail(filled.error());
  shared_.slabs.give(std::move(slab));
  return nullptr;
}

void NarIngest::begin(Slab& slab) {
  slab.chunks.clear();
  slab.older.clear();
  slab.taken_out.clear();
  slab.chunk_list.clear();
  slab.waits_for.clear();
  slab.bytes.clear();
  slab.bytes.append(carry_);
  slab.fresh_begin = slab.fresh_end = carry_cut_;
  slab.offset_bytes = carry_offset_;
}

/// Reads until a chunk is certain or the input ends; false if there is nothing more.
Result<bool> NarIngest::fill(Slab& slab) {
  begin(slab);
  while (slab.chunks.empty() && !ended_) CHUNKER_TRY_VOID(read_more(slab));
  if (slab.chunks.empty()) return false;
  if (older_) {
    for (const ChunkExtent& chunk : slab.chunks) {
      slab.older.push_back(older_->range_of(chunk, chunker_.entries()));
    }
  }
  keep_rest(slab);
  return true;
}

Result<void> NarIngest::read_more(Slab& slab) {
  if (shared_.stop.stop_requested()) {
    return base::fail(ErrorCode::cancelled, "stopped on request");
  }
  if (shared_.cpu != nullptr) CHUNKER_TRY_VOID(shared_.cpu->pass(0));
  const std::size_t old_size = slab.bytes.size();
  slab.bytes.resize(old_size + kSlabBytes);
  CHUNKER_TRY(const std::size_t count, input_->read(slab.bytes.span().subspan(old_size)));
  slab.bytes.resize(old_size + count);
  ended_ = count < kSlabBytes;
  const std::size_t final_bytes = normalize(slab);
  CHUNKER_TRY_VOID(
      chunker_.feed(slab.bytes.view().subspan(slab.fresh_end, final_bytes), slab.chunks));
  slab.fresh_end += final_bytes;
  if (slab.offset_bytes == 0) CHUNKER_TRY_VOID(check_is_nar(slab.bytes));
  if (ended_) CHUNKER_TRY_VOID(chunker_.finish(slab.chunks));
  shared_.progress.add_bytes(count);
  return {};
}

/// Takes the references out of what follows the fresh bytes; returns how much of it is final.
std::size_t NarIngest::normalize(Slab& slab) {
  const MutableBytes data = slab.bytes.span().subspan(slab.fresh_end);
  if (!normalizer_) return data.size();
  const auto& found = normalizer_->found();
  std::size_t next = found.positions.size();
  const std::size_t final_bytes = normalizer_->normalize(data, ended_);
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

/// Stage 2, side by side: hash, ask whether known, compress, put.
void NarIngest::store_chunks(Slab& slab) {
  auto stored = catching([&] { return hash_and_put(slab); });
  if (!stored) fail(std::move(stored).error());
}

Result<void> NarIngest::hash_and_put(Slab& slab) {
  std::vector<ChunkBytes> chunks;
  chunks.reserve(slab.chunks.size());
  std::vector<Bytes> inputs;
  for (const ChunkExtent& chunk : slab.chunks) inputs.push_back(slab.bytes_of(chunk));
  std::vector<Digest> digests(inputs.size());
  shared_.hash.hash_many(inputs, digests);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    chunks.push_back({digests[i], inputs[i], older_ ? slab.older[i] : OlderRange{}});
    slab.chunk_list.push_back({digests[i], inputs[i].size()});
  }
  SuggestBase suggest_base;
  if (shared_.deltas) suggest_base = [this](auto frame) { return base_around(frame); };
  CHUNKER_TRY(slab.stored, shared_.builders.local().put_new(chunks, suggest_base, slab.waits_for));
  return shared_.cpu != nullptr ? shared_.cpu->pass(slab.bytes.size()) : Result<void>();
}

std::vector<Digest> NarIngest::base_around(std::span<const ChunkBytes> chunks) const {
  if (!older_) return {};
  std::vector<OlderRange> ranges;
  for (const ChunkBytes& chunk : chunks) ranges.push_back(chunk.older);
  return older_->chunks_around(std::move(ranges), DeltaEncoder::kBaseBytesMax);
}

/// Stage 3, in order: the hash of the NAR as it came, and the list of its chunks.
void NarIngest::hash_and_collect(SlabPtr slab) {
  std::unique_ptr<Slab> done(slab);
  auto collected = catching([&]() -> Result<void> {
    for (const refs::Reference& reference : done->taken_out) {
      refs::restore_reference(reference, done->offset_bytes, done->bytes.span());
    }
    manifest_.chunks.insert(manifest_.chunks.end(), done->chunk_list.begin(),
                            done->chunk_list.end());
    waits_for_.insert(waits_for_.end(), done->waits_for.begin(), done->waits_for.end());
    stored_ += std::exchange(done->stored, {});
    const Bytes fresh = done->fresh();
    const std::uint64_t held_bytes = done->bytes.capacity();
    sha256_.update(
        fresh,
        [&slabs = shared_.slabs, held = done.release()] {
          slabs.give(std::unique_ptr<Slab>(held));
        },
        held_bytes);
    return {};
  });
  if (!collected) fail(std::move(collected).error());
}

Result<void> NarIngest::find_older_version() {
  package_ = delta::package_name(name_of(source_));
  if (!shared_.deltas || package_.empty()) return {};
  // Only what is durable can be a base.
  if (shared_.under_way.contains(package_)) CHUNKER_TRY_VOID(shared_.writer.settle());
  older_ = OlderVersion::find(shared_.parts, name_of(source_));
  return {};
}

Result<void> NarIngest::run() {
  std::unique_ptr<Slab> first(read_and_cut());
  if (first != nullptr && !ended_) {
    run_side_by_side(std::move(first));
  } else if (first != nullptr) {
    // Most NARs are one slab: no stage has another to work beside, and each pipeline would cost some microseconds.
    store_chunks(*first);
    hash_and_collect(first.release());
  }
  const base::Lock lock(error_mutex_);
  if (error_) return std::unexpected(*std::exchange(error_, std::nullopt));
  return {};
}

void NarIngest::run_side_by_side(std::unique_ptr<Slab> first) {
  const auto slabs_max = kSlabsPerThread * shared_.threads;
  // Isolated: a thread that waits here must not begin another NAR on top of this one.
  tbb::this_task_arena::isolate([&] {
    tbb::parallel_pipeline(
        slabs_max,
        tbb::make_filter<void, SlabPtr>(tbb::filter_mode::serial_in_order,
                                        [this, &first](tbb::flow_control& flow) {
                                          SlabPtr slab = first ? first.release() : read_and_cut();
                                          if (slab == nullptr) flow.stop();
                                          return slab;
                                        }) &
            tbb::make_filter<SlabPtr, SlabPtr>(tbb::filter_mode::parallel,
                                               [this](SlabPtr slab) {
                                                 if (!failed_) store_chunks(*slab);
                                                 return slab;
                                               }) &
            tbb::make_filter<SlabPtr, void>(tbb::filter_mode::serial_in_order,
                                            [this](SlabPtr slab) { hash_and_collect(slab); }));
  });
}

/// The large parts of the manifest are kept like chunks.
Result<void> NarIngest::put_pieces(const store::EncodedManifest& encoded) {
  std::vector<ChunkBytes> pieces;
  for (const auto& piece : encoded.pieces) pieces.push_back({piece.digest, piece.bytes});
  // A list of chunks of which few are new resembles the list before it.
  SuggestBase suggest_base;
  if (older_) {
    suggest_base = [this](auto) {
      return std::vector<Digest>(older_->pieces().begin(), older_->pieces().end());
    };
  }
  CHUNKER_TRY(const StoredBytes stored,
              shared_.builders.local().put_new(pieces, suggest_base, waits_for_));
  stored_.stored_bytes += stored.stored_bytes;
  return {};
}

Result<void> NarIngest::stage(std::function<void(const Result<IngestedNar>&)> on_durable) {
  manifest_.nar_sha256 = sha256_.finish();
  manifest_.nar_bytes = carry_offset_;
  manifest_.recipe = shared_.recipe;
  manifest_.entries = std::move(chunker_.entries());
  if (normalizer_) manifest_.references = std::move(*normalizer_).take();
  CHUNKER_TRY(auto encoded, store::encode_manifest(manifest_, shared_.hash.algorithm()));
  CHUNKER_TRY_VOID(put_pieces(encoded));

  IngestedNar nar;
  nar.name = name_of(source_);
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

  store::StagedNar staged;
  staged.name = nar.name;
  staged.record = {encoded.bytes.size(), nar.nar_sha256, nar.nar_bytes, nar.chunks};
  staged.manifest = std::move(encoded.bytes);
  staged.waits_for = std::move(waits_for_);
  shared_.under_way.add(package_);
  staged.on_durable = [nar, on_durable = std::move(on_durable), package = package_,
                       &under_way = shared_.under_way](const Result<void>& durable) {
    under_way.remove(package);
    if (durable) {
      on_durable(nar);
    } else {
      on_durable(std::unexpected(durable.error()));
    }
  };
  auto put = shared_.writer.put_nar(std::move(staged));
  if (!put) shared_.under_way.remove(package_);
  return put;
}

}  // namespace

std::string name_of(const IngestSource& source) {
  return source.name.empty() ? source.path.filename().string() : source.name;
}

Result<void> ingest_nar(const IngestShared& shared, const IngestSource& source,
                        std::function<void(const Result<IngestedNar>&)> on_durable) {
  CHUNKER_TRY(auto input, open_input(source, shared.stop));
  NarIngest nar(shared, source, std::move(input));
  CHUNKER_TRY_VOID(nar.find_older_version());
  CHUNKER_TRY_VOID(nar.run());
  return nar.stage(std::move(on_durable));
}

}  // namespace chunker::pipeline
