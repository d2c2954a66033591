#pragma once

#include <cstddef>

#include "hash/sha256_kernels.hpp"

// How one to four hashes go side by side, the same on every processor that has instructions for SHA-256. The file of a
// kernel has a type of its own for one hash in registers, and for that load(), store(), begin_block(), four_rounds()
// and end_block(). That type is in an anonymous namespace: what these templates become for it, no other file gets.
namespace chunker::hash {

#if defined(__aarch64__)
// g++ 12 knows the intrinsics only together with those of AES.
#define CHUNKER_SHA256_TARGET gnu::target("+crypto")
#else
// AVX for its three-operand forms (sha256_ni.cpp).
#define CHUNKER_SHA256_TARGET gnu::target("sha,avx")
#endif
#define CHUNKER_SHA256_INLINE [[CHUNKER_SHA256_TARGET, gnu::always_inline]] inline

template <class Lane>
struct Sha256Interleaved {
  Lane a, b, c, d;
};

// `lane_count` and `group` are constants wherever these are inlined.
template <class Lane>
CHUNKER_SHA256_INLINE void four_rounds_of_all(Sha256Interleaved<Lane>& lanes, const int lane_count,
                                              const int group) {
  four_rounds(lanes.a, group);
  if (lane_count > 1) four_rounds(lanes.b, group);
  if (lane_count > 2) four_rounds(lanes.c, group);
  if (lane_count > 2) four_rounds(lanes.d, group);
}

template <class Lane>
CHUNKER_SHA256_INLINE void block_of_all(Sha256Interleaved<Lane>& lanes, const int lane_count) {
  begin_block(lanes.a);
  if (lane_count > 1) begin_block(lanes.b);
  if (lane_count > 2) begin_block(lanes.c);
  if (lane_count > 2) begin_block(lanes.d);
  four_rounds_of_all(lanes, lane_count, 0);
  four_rounds_of_all(lanes, lane_count, 1);
  four_rounds_of_all(lanes, lane_count, 2);
  four_rounds_of_all(lanes, lane_count, 3);
  four_rounds_of_all(lanes, lane_count, 4);
  four_rounds_of_all(lanes, lane_count, 5);
  four_rounds_of_all(lanes, lane_count, 6);
  four_rounds_of_all(lanes, lane_count, 7);
  four_rounds_of_all(lanes, lane_count, 8);
  four_rounds_of_all(lanes, lane_count, 9);
  four_rounds_of_all(lanes, lane_count, 10);
  four_rounds_of_all(lanes, lane_count, 11);
  four_rounds_of_all(lanes, lane_count, 12);
  four_rounds_of_all(lanes, lane_count, 13);
  four_rounds_of_all(lanes, lane_count, 14);
  four_rounds_of_all(lanes, lane_count, 15);
  end_block(lanes.a);
  if (lane_count > 1) end_block(lanes.b);
  if (lane_count > 2) end_block(lanes.c);
  if (lane_count > 2) end_block(lanes.d);
}

// One, two or four lanes, `block_count` blocks further.
template <class Lane>
CHUNKER_SHA256_INLINE void advance_interleaved(Sha256Lane* const* lanes, std::size_t block_count,
                                               const int lane_count) {
  Sha256Interleaved<Lane> all;
  load(*lanes[0], all.a);
  if (lane_count > 1) load(*lanes[1], all.b);
  if (lane_count > 2) load(*lanes[2], all.c);
  if (lane_count > 2) load(*lanes[3], all.d);
  for (; block_count != 0; --block_count) block_of_all(all, lane_count);
  store(all.a, *lanes[0]);
  if (lane_count > 1) store(all.b, *lanes[1]);
  if (lane_count > 2) store(all.c, *lanes[2]);
  if (lane_count > 2) store(all.d, *lanes[3]);
}

}  // namespace chunker::hash
