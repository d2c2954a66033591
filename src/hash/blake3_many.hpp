#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "chunker/digest.hpp"

namespace chunker::hash {

/// The BLAKE3 of every input; `digests` is as long as `inputs`. Small inputs share the lanes of the official
/// kernels; those that fill the lanes by themselves go one by one, and so do all where only a system libblake3 is
/// there, which keeps its kernels to itself.
void blake3_many(std::span<const Bytes> inputs, std::span<Digest> digests);

/// One of the official functions that hash `input_count` inputs of `block_count` whole blocks each.
using Blake3Kernel = void(const std::uint8_t* const* inputs, std::size_t input_count,
                          std::size_t block_count, const std::uint32_t key[8],
                          std::uint64_t counter, bool increment_counter, std::uint8_t flags,
                          std::uint8_t flags_start, std::uint8_t flags_end, std::uint8_t* output);

/// Up to this size several inputs are faster together than one by one (bench/RESULTS.md, "Hashing").
inline constexpr std::size_t kBlake3TogetherBytesMax = 16 << 10;

/// blake3_many() with a kernel of the caller's choice. Only where this build has the official sources.
void blake3_together(std::span<const Bytes> inputs, std::span<Digest> digests,
                     Blake3Kernel& kernel);

}  // namespace chunker::hash
