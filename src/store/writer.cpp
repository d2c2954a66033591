#include "store/writer.hpp"

#include <algorithm>
#include <utility>

#include "base/catching.hpp"
#include "base/try.hpp"

namespace chunker::store {
namespace {

/// A slow trickle of NARs is acknowledged at least this often.
constexpr auto kOpenMax = std::chrono::seconds(5);
/// Bounds what one pack's acknowledgements may hold in memory.
constexpr std::size_t kAcknowledgementsMax = 4096;
/// How far the device may be behind: full packs, or chunk objects.
constexpr std::size_t kPacksQueuedMax = 2;
constexpr std::size_t kObjectsQueuedMax = 64;
/// Hex digits of its hash that tell an older NAR of the same name apart.
constexpr std::size_t kOlderNameDigits = 12;

std::uint64_t unix_seconds() {
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::seconds>(
                                        std::chrono::system_clock::now().time_since_epoch())
                                        .count());
}

}  // namespace

StoreWriter::StoreWriter(Store::Parts& parts) : parts_(parts) {
  {
    const base::Lock lock(pack_mutex_);
    if (auto settled = parts_.check_settled(); !settled) {
      failed_ = std::move(settled).error();
    } else if (auto highest = parts_.index->highest_sequence(); highest) {
      next_sequence_ = *highest + 1;
    } else {
      failed_ = highest.error();
    }
  }
  committer_ = std::thread([this] { commit_loop(); });
}

StoreWriter::~StoreWriter() {
  {
    const base::Lock lock(pack_mutex_);
    if (open_ || !queue_.empty() || !waiting_.empty()) {
      (void)fail_locked({ErrorCode::cancelled, "writing was given up before it was finished"});
    }
    ending_ = true;
    changed_.notify_all();
  }
  committer_.join();
}

Result<void> StoreWriter::claim(std::span<const Digest> digests, std::span<bool> is_new,
                                std::vector<Digest>& waits_for) {
  {
    const base::Lock lock(claims_mutex_);
    for (std::size_t i = 0; i < digests.size(); ++i) {
      const auto [claim, first] = claims_.try_emplace(digests[i], false);
      is_new[i] = first;
      if (!first && !claim->second) waits_for.push_back(digests[i]);
    }
  }
  // Asked after claiming: a pack that is committed in between is then in the index already.
  return withdraw_known(digests, is_new);
}

Result<void> StoreWriter::withdraw_known(std::span<const Digest> digests, std::span<bool> is_new) {
  std::vector<Digest> asked;
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < digests.size(); ++i) {
    if (!is_new[i]) continue;
    asked.push_back(digests[i]);
    places.push_back(i);
  }
  if (asked.empty()) return {};
  CHUNKER_TRY(const auto found, parts_.index->chunks(asked));
  const base::Lock lock(claims_mutex_);
  for (std::size_t i = 0; i < asked.size(); ++i) {
    if (!found[i]) continue;
    is_new[places[i]] = false;
    claims_.erase(asked[i]);
  }
  return {};
}

StoreWriter::Pack& StoreWriter::open_or_begin() {
  if (!open_) open_ = Pack{std::nullopt, {}, Clock::now(), 0};
  return *open_;
}

Result<PackWriter*> StoreWriter::open_pack() {
  Pack& pack = open_or_begin();
  if (!pack.writer) {
    CHUNKER_TRY(pack.writer, PackWriter::begin(parts_));
  }
  return &*pack.writer;
}

Result<void> StoreWriter::add_frame(const Frame& frame) {
  if (parts_.options.layout == StoreLayout::objects) {
    Pack object{std::nullopt, {}, Clock::now(), 0};
    CHUNKER_TRY(object.writer, PackWriter::begin(parts_));
    CHUNKER_TRY_VOID(object.writer->add_frame(frame.record, frame.payload));
    seal(std::move(object));
    return {};
  }
  CHUNKER_TRY(PackWriter* const writer, open_pack());
  return writer->add_frame(frame.record, frame.payload);
}

Result<void> StoreWriter::put_frame(Frame frame) {
  const base::Lock lock(pack_mutex_);
  if (failed_) return std::unexpected(*failed_);
  if (auto added = add_frame(frame); !added) return fail_locked(std::move(added).error());
  parts_.scratch.give(std::move(frame.payload));
  {
    const base::Lock claims_lock(claims_mutex_);
    // A claim may be gone already: a chunk object can be durable by now.
    for (const ChunkReference& chunk : frame.record.chunks) {
      if (const auto claim = claims_.find(chunk.digest); claim != claims_.end()) {
        claim->second = true;
      }
    }
  }
  if (auto sealed = seal_if_due(); !sealed) return fail_locked(std::move(sealed).error());
  return {};
}

bool StoreWriter::ready(StagedNar& nar) {
  const base::Lock lock(claims_mutex_);
  std::erase_if(nar.waits_for, [this](const Digest& digest) CHUNKER_REQUIRES(claims_mutex_) {
    const auto claim = claims_.find(digest);
    return claim == claims_.end() || claim->second;
  });
  return nar.waits_for.empty();
}

Result<void> StoreWriter::put_nar(StagedNar nar) {
  const base::Lock lock(pack_mutex_);
  if (failed_) return std::unexpected(*failed_);
  if (!ready(nar)) {
    waiting_.push_back(std::move(nar));
    return {};
  }
  if (auto added = add_nar(nar); !added) return fail_locked(std::move(added).error());
  // It has its acknowledgement to come from here on: an error reaches it there, and only there.
  if (auto sealed = seal_if_due(); !sealed) (void)fail_locked(std::move(sealed).error());
  return {};
}

/// Whether the NAR's manifest is stored, byte for byte, and found as what it is. One with another recipe, or one that
/// is damaged, would name other chunks than those just claimed.
Result<bool> StoreWriter::is_stored(const StagedNar& nar) {
  if (new_nars_.contains(nar.record.nar_sha256)) return true;
  CHUNKER_TRY(const auto location, parts_.index->manifest(nar.record.nar_sha256));
  ManifestRecord record = nar.record;
  record.payload_bytes = nar.manifest.size();
  if (!location || location->record_of(record.nar_sha256) != record) return false;
  CHUNKER_TRY(const std::string key, parts_.pack_key(location->pack));
  ByteBuffer stored(nar.manifest.size());
  if (!parts_.blobs->read(key, location->payload_offset, stored.span())) return false;
  return text_of(stored) == text_of(nar.manifest);
}

Result<void> StoreWriter::add_nar(StagedNar& nar) {
  CHUNKER_TRY(const bool stored, is_stored(nar));
  if (!stored) {
    CHUNKER_TRY(PackWriter* const writer, open_pack());
    CHUNKER_TRY_VOID(writer->add_manifest(nar.record, nar.manifest));
    new_nars_.insert(nar.record.nar_sha256);
  }
  CHUNKER_TRY(auto acknowledged, add_names(nar));
  open_or_begin().acknowledgements.push_back({std::move(nar.on_durable), std::move(acknowledged)});
  return {};
}

Result<std::optional<Digest>> StoreWriter::meaning_of(const std::string& name) {
  if (const auto found = new_names_.find(name); found != new_names_.end()) return found->second;
  CHUNKER_TRY(const auto record, parts_.index->name(name));
  if (!record) return std::nullopt;
  return record->nar_sha256;
}

Result<void> StoreWriter::set_name(const std::string& name, const Digest& nar_sha256) {
  CHUNKER_TRY(PackWriter* const writer, open_pack());
  CHUNKER_TRY_VOID(writer->add_name({name, nar_sha256, unix_seconds()}));
  new_names_[name] = nar_sha256;
  return {};
}

Result<Acknowledged> StoreWriter::add_names(const StagedNar& nar) {
  Acknowledged acknowledged;
  CHUNKER_TRY(const auto older, meaning_of(nar.name));
  if (older == nar.record.nar_sha256) return acknowledged;
  // Nothing is lost by a name that is used again: the older NAR stays, under a name of its own.
  if (older) {
    CHUNKER_TRY(acknowledged.older_kept_as, keep_older(nar.name, *older));
  }
  CHUNKER_TRY_VOID(set_name(nar.name, nar.record.nar_sha256));
  return acknowledged;
}

/// Under NAME~ and digits of its hash, as many as it takes to be a name of its own, which it returns.
Result<std::string> StoreWriter::keep_older(const std::string& name, const Digest& older) {
  for (std::size_t digits = kOlderNameDigits; digits <= 2 * Digest::kBytes; ++digits) {
    std::string kept =
        name.substr(0, kNameBytesMax - digits - 1) + "~" + older.hex().substr(0, digits);
    CHUNKER_TRY(const auto taken, meaning_of(kept));
    if (!taken) CHUNKER_TRY_VOID(set_name(kept, older));
    if (!taken || taken == older) return kept;
  }
  return base::fail(ErrorCode::store_ambiguous_name, "no name is left for the older NAR",
                    Error::kNoOffset, name);
}

/// After an error the rest is still in `waiting_`, so that each of them is told.
Result<void> StoreWriter::add_waiting() {
  for (std::size_t i = 0; i < waiting_.size();) {
    if (!ready(waiting_[i])) {
      ++i;
      continue;
    }
    CHUNKER_TRY_VOID(add_nar(waiting_[i]));
    waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(i));
  }
  return {};
}

Result<void> StoreWriter::seal_if_due() {
  if (!open_) return {};
  const bool full = open_->writer && open_->writer->bytes() >= parts_.options.pack_bytes_target;
  const bool due = full || open_->acknowledgements.size() >= kAcknowledgementsMax ||
                   (!open_->acknowledgements.empty() && Clock::now() - open_->opened > kOpenMax);
  if (!due) return {};
  CHUNKER_TRY_VOID(add_waiting());
  seal(*std::exchange(open_, std::nullopt));
  return {};
}

void StoreWriter::enqueue(Pack&& pack) {
  if (pack.writer) pack.sequence = next_sequence_++;
  queue_.push_back(std::move(pack));
  ++sealed_count_;
  changed_.notify_all();
}

void StoreWriter::seal(Pack&& pack) {
  enqueue(std::move(pack));
  const std::size_t queued_max =
      parts_.options.layout == StoreLayout::objects ? kObjectsQueuedMax : kPacksQueuedMax;
  while (queue_.size() > queued_max && !failed_) changed_.wait(pack_mutex_);
}

void StoreWriter::fail(Error error) {
  const base::Lock lock(pack_mutex_);
  (void)fail_locked(std::move(error));
}

std::unexpected<Error> StoreWriter::fail_locked(Error error) {
  if (!failed_) failed_ = std::move(error);
  changed_.notify_all();
  return std::unexpected(*failed_);
}

Result<void> StoreWriter::settle() {
  const base::Lock lock(pack_mutex_);
  if (failed_) return std::unexpected(*failed_);
  if (auto added = add_waiting(); !added) return fail_locked(std::move(added).error());
  if (open_) seal(*std::exchange(open_, std::nullopt));
  const std::uint64_t until = sealed_count_;
  while (committed_count_ < until && !failed_) changed_.wait(pack_mutex_);
  if (failed_) return std::unexpected(*failed_);
  return {};
}

Result<void> StoreWriter::finish() {
  const base::Lock lock(pack_mutex_);
  if (failed_) return std::unexpected(*failed_);
  if (auto added = add_waiting(); !added) return fail_locked(std::move(added).error());
  if (!waiting_.empty()) {
    return fail_locked({ErrorCode::internal, "a claimed chunk was never put"});
  }
  if (open_) seal(*std::exchange(open_, std::nullopt));
  while ((!queue_.empty() || committing_) && !failed_) changed_.wait(pack_mutex_);
  if (failed_) return std::unexpected(*failed_);
  return {};
}

std::vector<StoreWriter::OnDurable> StoreWriter::drop_all() {
  std::vector<OnDurable> dropped;
  const auto drop = [&dropped](Pack& pack) {
    for (auto& one : pack.acknowledgements) dropped.push_back(std::move(one.on_durable));
  };
  std::ranges::for_each(queue_, drop);
  if (open_) drop(*open_);
  for (StagedNar& nar : waiting_) dropped.push_back(std::move(nar.on_durable));
  queue_.clear();
  open_.reset();
  waiting_.clear();
  return dropped;
}

void StoreWriter::commit_loop() {
  for (;;) {
    std::optional<Pack> pack;
    std::vector<OnDurable> dropped;
    Result<Acknowledged> failure;
    {
      const base::Lock lock(pack_mutex_);
      while (queue_.empty() && !ending_ && !(failed_ && (open_ || !waiting_.empty()))) {
        changed_.wait_for(pack_mutex_, kOpenMax);
        // Also when nothing new comes: a NAR must not wait for the next one to be acknowledged.
        if (!failed_ && queue_.empty()) seal_if_old();
      }
      if (failed_) {
        dropped = drop_all();
        failure = std::unexpected(*failed_);
        if (dropped.empty() && ending_) return;
      } else if (queue_.empty()) {
        return;
      } else {
        pack = std::move(queue_.front());
        queue_.pop_front();
      }
      committing_ = true;
    }
    for (const OnDurable& on_durable : dropped) on_durable(failure);
    const bool committed = pack.has_value();
    if (pack) commit(*std::move(pack));
    const base::Lock lock(pack_mutex_);
    committing_ = false;
    if (committed) ++committed_count_;
    changed_.notify_all();
  }
}

void StoreWriter::seal_if_old() {
  if (!open_ || open_->acknowledgements.empty() || Clock::now() - open_->opened < kOpenMax) return;
  enqueue(*std::exchange(open_, std::nullopt));
}

void StoreWriter::commit(Pack pack) {
  const Result<void> result = base::catching([&]() -> Result<void> {
    if (pack.writer) CHUNKER_TRY_VOID(pack.writer->commit(pack.sequence));
    // Readers of other processes find what is acknowledged even after a power cut.
    return pack.acknowledgements.empty() ? Result<void>() : parts_.index->sync();
  });
  if (result && pack.writer) forget(pack.writer->directory());
  for (auto& [on_durable, what] : pack.acknowledgements) {
    on_durable(result ? Result<Acknowledged>(std::move(what)) : std::unexpected(result.error()));
  }
  if (!result) fail(result.error());
}

void StoreWriter::forget(const PackDirectory& directory) {
  const base::Lock lock(pack_mutex_);
  const base::Lock claims_lock(claims_mutex_);
  for (const PackRecord& record : directory.records) {
    if (const auto* frame = std::get_if<FrameRecord>(&record)) {
      for (const ChunkReference& chunk : frame->chunks) claims_.erase(chunk.digest);
    } else if (const auto* manifest = std::get_if<ManifestRecord>(&record)) {
      new_nars_.erase(manifest->nar_sha256);
    } else if (const auto* named = std::get_if<NameRecord>(&record)) {
      const auto found = new_names_.find(named->name);
      if (found != new_names_.end() && found->second == named->nar_sha256) new_names_.erase(found);
    }
  }
}

}  // namespace chunker::store
