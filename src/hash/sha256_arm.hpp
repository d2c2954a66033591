#pragma once

#include "hash/sha256_kernels.hpp"

namespace chunker::hash {

// Only on Arm processors with SHA2 instructions.
void sha256_arm_two(Sha256Lane* const* lanes, std::size_t block_count) noexcept;
void sha256_arm_one(Sha256Lane* const* lanes, std::size_t block_count) noexcept;

}  // namespace chunker::hash
