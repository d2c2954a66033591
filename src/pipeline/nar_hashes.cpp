#include "pipeline/nar_hashes.hpp"

#include <algorithm>
#include <new>
#include <utility>

namespace chunker::pipeline {
namespace {

/// With four streams SHA-NI is as busy as it can be.
constexpr std::size_t kStreamsMax = 4;

}  // namespace

/// What one stream gives to a round: its oldest pieces.
struct NarHashes::Share {
  Stream* stream;
  std::vector<Stream::Piece> pieces;
  std::size_t next = 0;  // The piece after the one that `rest` is left of.
  Bytes rest;

  [[nodiscard]] bool has_bytes() noexcept {
    while (rest.empty() && next != pieces.size()) rest = pieces[next++].bytes;
    return !rest.empty();
  }
};

/// Streams that one thread works on, from when it takes their pieces until it releases them.
class NarHashes::Round {
 public:
  explicit Round(NarHashes& hashes) : hashes_(hashes) { shares_.reserve(kStreamsMax); }
  ~Round();
  Round(const Round&) = delete;
  Round& operator=(const Round&) = delete;

  void take(Stream& stream);
  void hash();

 private:
  void take_pieces(Stream& stream, std::uint64_t bytes_min);

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
  }
  for (const Piece& piece : waiting_) {
    if (piece.release) piece.release();
  }
}

void NarHashes::Stream::update(Bytes bytes, Release release, std::uint64_t held_bytes) {
  hashes_.add(*this,
              {bytes, std::move(release), std::max<std::uint64_t>(held_bytes, bytes.size())});
}

Digest NarHashes::Stream::finish() {
  for (;;) {
    {
      const base::Lock lock(hashes_.mutex_);
      hashes_.wait_while_busy(*this);
      if (waiting_.empty()) break;
    }
    Round round(hashes_);
    round.take(*this);
    round.hash();
  }
  if (broken_) throw std::bad_alloc();
  return sha256_.finish();
}

void NarHashes::wait_while_busy(const Stream& stream) {
  while (stream.busy_) idle_.wait(mutex_);
}

void NarHashes::add(Stream& stream, const Stream::Piece& piece) {
  {
    const base::Lock lock(mutex_);
    try {
      stream.waiting_.push_back(piece);
    } catch (const std::bad_alloc&) {
      if (piece.release) piece.release();
      throw;
    }
    stream.waiting_bytes_ += piece.bytes.size();
    stream.waiting_held_bytes_ += piece.held_bytes;
    const bool in_company = std::ranges::any_of(streams_, [&](const Stream* other) {
      return other != &stream && !other->busy_ && !other->waiting_.empty();
    });
    const bool may_wait = streams_.size() > 1 && stream.waiting_held_bytes_ < kWaitingBytesMax;
    if (may_wait && (stream.busy_ || !in_company)) return;
    wait_while_busy(stream);
  }
  Round round(*this);
  round.take(stream);
  round.hash();
}

/// The stream's oldest pieces, and about as many bytes of others that nobody works on.
void NarHashes::Round::take(Stream& stream) {
  const base::Lock lock(hashes_.mutex_);
  if (stream.busy_ || stream.waiting_.empty()) return;
  std::vector<Stream*> company{&stream};
  std::uint64_t bytes_min = stream.waiting_bytes_;
  for (Stream* other : hashes_.streams_) {
    if (company.size() == kStreamsMax) break;
    if (other == &stream || other->busy_ || other->waiting_.empty()) continue;
    company.push_back(other);
    bytes_min = std::min(bytes_min, other->waiting_bytes_);
  }
  for (Stream* member : company) take_pieces(*member, bytes_min);
}

void NarHashes::Round::take_pieces(Stream& stream, std::uint64_t bytes_min) {
  stream.busy_ = true;
  shares_.push_back({&stream, {}, 0, {}});
  std::uint64_t taken = 0;
  do {
    Stream::Piece& oldest = stream.waiting_.front();
    shares_.back().pieces.push_back(oldest);
    taken += oldest.bytes.size();
    stream.waiting_bytes_ -= oldest.bytes.size();
    stream.waiting_held_bytes_ -= oldest.held_bytes;
    stream.waiting_.pop_front();
  } while (taken < bytes_min && !stream.waiting_.empty());
}

/// All of it, in steps as long as the shortest piece that is under way.
void NarHashes::Round::hash() {
  std::vector<Share*> going;
  std::vector<Sha256Stream*> streams;
  std::vector<Bytes> pieces;
  for (;;) {
    going.clear();
    for (Share& share : shares_) {
      if (share.has_bytes()) going.push_back(&share);
    }
    if (going.empty()) break;
    std::size_t step = going.front()->rest.size();
    for (const Share* share : going) step = std::min(step, share->rest.size());
    streams.clear();
    pieces.clear();
    for (Share* share : going) {
      streams.push_back(&share->stream->sha256_);
      pieces.push_back(share->rest.first(step));
      share->rest = share->rest.subspan(step);
    }
    Sha256Stream::update_many(streams, pieces);
  }
  done_ = true;
}

NarHashes::Round::~Round() {
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
