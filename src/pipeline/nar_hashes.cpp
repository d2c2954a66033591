#include "pipeline/nar_hashes.hpp"

#include <algorithm>
#include <new>
#include <utility>

namespace chunker::pipeline {

/// What one stream gives to a round: its oldest bytes.
struct NarHashes::Share {
  Stream* stream;
  std::vector<Stream::Piece> pieces;
  std::size_t next = 0;  // The piece after the one that `rest` is left of.
  Bytes rest;

  [[nodiscard]] bool has_bytes() noexcept {
    if (rest.empty() && next != pieces.size()) rest = pieces[next++].bytes;
    return !rest.empty();
  }
};

/// Streams that one thread works on, from when it takes their pieces until it releases them.
class NarHashes::Round {
 public:
  explicit Round(NarHashes& hashes) : hashes_(hashes) {}
  ~Round();
  Round(const Round&) = delete;
  Round& operator=(const Round&) = delete;

  /// What it works on: to be filled by take().
  [[nodiscard]] std::vector<Share>& shares() noexcept { return shares_; }
  void hash();

 private:
  NarHashes& hashes_;
  std::vector<Share> shares_;
  bool done_ = false;
};

NarHashes::Stream::Stream(NarHashes& hashes) : hashes_(hashes) {
  const base::Lock lock(hashes_.mutex_);
  hashes_.streams_.push_back(this);
}

NarHashes::Stream::~Stream() {
  {
    const base::Lock lock(hashes_.mutex_);
    hashes_.wait_while_busy(*this);
    std::erase(hashes_.streams_, this);
    for (const Piece& piece : waiting_) hashes_.held_bytes_ -= piece.held_bytes;
  }
  for (const Piece& piece : waiting_) {
    if (piece.release) piece.release();
  }
}

void NarHashes::Stream::update(Bytes bytes, Release release, std::uint64_t held_bytes) {
  if (!bytes.empty()) {
    return hashes_.add(
        *this, {bytes, std::move(release), std::max<std::uint64_t>(held_bytes, bytes.size())});
  }
  if (release) release();
}

Digest NarHashes::Stream::finish() {
  for (;;) {
    Round round(hashes_);
    {
      const base::Lock lock(hashes_.mutex_);
      hashes_.wait_while_busy(*this);
      if (waiting_.empty()) {
        std::erase(hashes_.streams_, this);
        break;
      }
      hashes_.take(hashes_.company_for(this), round.shares());
    }
    round.hash();
  }
  if (broken_) throw std::bad_alloc();
  return sha256_.finish();
}

void NarHashes::wait_while_busy(const Stream& stream) {
  while (stream.busy_) idle_.wait(mutex_);
}

void NarHashes::add(Stream& stream, const Stream::Piece& piece) {
  Round round(*this);
  {
    const base::Lock lock(mutex_);
    try {
      stream.waiting_.push_back(piece);
    } catch (const std::bad_alloc&) {
      if (piece.release) piece.release();
      throw;
    }
    stream.waiting_bytes_ += stream.waiting_.back().bytes.size();
    held_bytes_ += stream.waiting_.back().held_bytes;
    if (!round_is_due()) return;
    auto company = company_for(nullptr);
    while (company.empty()) {  // Whoever hashes now will have released pieces then.
      idle_.wait(mutex_);
      if (!round_is_due()) return;
      company = company_for(nullptr);
    }
    take(company, round.shares());
  }
  round.hash();
}

/// Whether as many streams as can be hashed side by side have something to hash, or too much waits.
bool NarHashes::round_is_due() const {
  if (held_bytes_ > held_bytes_max_) return true;
  const auto ready = std::ranges::count_if(streams_, [](const Stream* stream) {
    return !stream->busy_ && stream->waiting_bytes_ >= kShareBytesMin;
  });
  return static_cast<std::size_t>(ready) >= std::min(kStreamsMax, streams_.size());
}

/// `first`, or else who has most to hash, and others of whom a share waits, or not much less.
std::vector<NarHashes::Stream*> NarHashes::company_for(Stream* first) const {
  std::vector<Stream*> company;
  std::ranges::copy_if(streams_, std::back_inserter(company), [first](const Stream* stream) {
    return stream != first && !stream->busy_ && !stream->waiting_.empty();
  });
  std::ranges::sort(company, std::ranges::greater{}, &Stream::waiting_bytes_);
  if (first != nullptr) company.insert(company.begin(), first);
  const auto too_small = [&company](const Stream* stream) {
    return stream->waiting_bytes_ < std::min(company.front()->waiting_bytes_ / 2, kShareBytesMin);
  };
  company.erase(std::ranges::find_if(company, too_small), company.end());
  company.resize(std::min(company.size(), kStreamsMax));
  return company;
}

/// As many bytes of each as all have.
void NarHashes::take(std::span<Stream* const> streams, std::vector<Share>& shares) {
  const auto least = std::ranges::min(streams, {}, &Stream::waiting_bytes_)->waiting_bytes_;
  shares.reserve(streams.size());
  for (Stream* stream : streams) take_bytes(*stream, least, shares);
}

void NarHashes::take_bytes(Stream& stream, std::uint64_t count, std::vector<Share>& shares) {
  stream.busy_ = true;
  shares.push_back({&stream, {}, 0, {}});
  while (count != 0) {
    Stream::Piece& oldest = stream.waiting_.front();
    if (oldest.bytes.size() > count) {
      const auto taken = static_cast<std::size_t>(count);
      shares.back().pieces.push_back({oldest.bytes.first(taken), {}, 0});
      oldest.bytes = oldest.bytes.subspan(taken);
      stream.waiting_bytes_ -= count;
      return;
    }
    shares.back().pieces.push_back(std::move(oldest));
    const Stream::Piece& taken = shares.back().pieces.back();
    stream.waiting_.pop_front();
    count -= taken.bytes.size();
    stream.waiting_bytes_ -= taken.bytes.size();
    held_bytes_ -= taken.held_bytes;
  }
}

/// All of it, in steps as long as the shortest piece that is under way.
void NarHashes::Round::hash() {
  std::vector<Sha256Stream*> streams;
  for (const Share& share : shares_) streams.push_back(&share.stream->sha256_);
  std::vector<Bytes> pieces(shares_.size());
  while (std::ranges::all_of(shares_, &Share::has_bytes)) {
    const std::size_t step = std::ranges::min(shares_, {}, [](const Share& share) {
                               return share.rest.size();
                             }).rest.size();
    for (std::size_t i = 0; i < shares_.size(); ++i) {
      pieces[i] = shares_[i].rest.first(step);
      shares_[i].rest = shares_[i].rest.subspan(step);
    }
    Sha256Stream::update_many(streams, pieces);
  }
  done_ = true;
}

NarHashes::Round::~Round() {
  if (shares_.empty()) return;
  for (const Share& share : shares_) {
    for (const Stream::Piece& piece : share.pieces) {
      if (piece.release) piece.release();
    }
  }
  const base::Lock lock(hashes_.mutex_);
  for (const Share& share : shares_) {
    share.stream->busy_ = false;
    share.stream->broken_ |= !done_;
  }
  hashes_.idle_.notify_all();
}

}  // namespace chunker::pipeline
