#include "hash/sha256_stream.hpp"

#include <algorithm>
#include <vector>

namespace chunker::hash {
namespace {

/// Whole blocks of one stream.
struct Run {
  Sha256Lane lane;
  std::size_t blocks_left;
  Bytes rest;  // Behind them.
};

/// All runs to their ends. Those that have furthest to go go first where not all can, so that no long one is left
/// to run alone. `busy` has room for all.
void advance_all(std::span<Run> runs, std::span<const Sha256Kernel> kernels,
                 std::vector<Run*>& busy) noexcept {
  for (Run& run : runs) {
    if (run.blocks_left != 0) busy.push_back(&run);
  }
  while (!busy.empty()) {
    const Sha256Kernel& kernel = sha256_kernel_for(kernels, busy.size());
    std::ranges::sort(busy, std::ranges::greater{}, &Run::blocks_left);
    const std::span going(busy.data(), std::min(kernel.lane_count, busy.size()));
    const std::size_t block_count = going.back()->blocks_left;
    std::array<Sha256Lane*, kSha256LanesMax> lanes;
    std::ranges::transform(going, lanes.begin(), [](Run* run) { return &run->lane; });
    sha256_advance(kernel, std::span(lanes).first(going.size()), block_count);
    for (Run* run : going) run->blocks_left -= block_count;
    std::erase_if(busy, [](const Run* run) { return run->blocks_left == 0; });
  }
}

}  // namespace

void Sha256Progress::update_many(std::span<Sha256Progress* const> streams,
                                 std::span<const Bytes> pieces,
                                 std::span<const Sha256Kernel> kernels) {
  // All memory is here before the first stream changes.
  std::vector<Run> runs(streams.size());
  std::vector<Run*> busy;
  busy.reserve(streams.size());
  for (std::size_t i = 0; i < streams.size(); ++i) {
    const Bytes piece = streams[i]->complete_open_block(pieces[i], kernels.front());
    const std::size_t block_count = piece.size() / kSha256BlockBytes;
    std::ranges::copy(streams[i]->state_, runs[i].lane.state);
    runs[i].lane.next = piece.data();
    runs[i].blocks_left = block_count;
    runs[i].rest = piece.subspan(block_count * kSha256BlockBytes);
    streams[i]->bytes_ += block_count * kSha256BlockBytes;
  }
  advance_all(runs, kernels, busy);
  for (std::size_t i = 0; i < streams.size(); ++i) {
    std::ranges::copy(runs[i].lane.state, streams[i]->state_.begin());
    streams[i]->open_block(runs[i].rest);
  }
}

/// What of the piece is left once the open block is full, or nothing if it is not.
Bytes Sha256Progress::complete_open_block(Bytes piece, const Sha256Kernel& one) noexcept {
  if (open_bytes() == 0) return piece;
  const Bytes taken = piece.first(std::min(piece.size(), kSha256BlockBytes - open_bytes()));
  open_block(taken);
  if (open_bytes() == 0) {
    Sha256Lane lane{{}, open_.data()};
    std::ranges::copy(state_, lane.state);
    sha256_advance(one, std::array{&lane}, 1);
    std::ranges::copy(lane.state, state_.begin());
  }
  return piece.subspan(taken.size());
}

void Sha256Progress::open_block(Bytes rest) noexcept {
  std::ranges::copy(rest, open_.begin() + static_cast<std::ptrdiff_t>(open_bytes()));
  bytes_ += rest.size();
}

Digest Sha256Progress::finish(const Sha256Kernel& one) noexcept {
  const Sha256End end(Bytes(open_).first(open_bytes()), bytes_);
  Sha256Lane lane{{}, end.bytes.data()};
  std::ranges::copy(state_, lane.state);
  sha256_advance(one, std::array{&lane}, end.block_count);
  *this = {};
  return sha256_digest_of(lane.state);
}

}  // namespace chunker::hash
