#pragma once

#include "hash/sha256_kernels.hpp"

namespace chunker::hash {

// Only on processors with SHA-NI.
void sha256_ni_four(Sha256Lane* const* lanes, std::size_t block_count) noexcept;
void sha256_ni_two(Sha256Lane* const* lanes, std::size_t block_count) noexcept;
void sha256_ni_one(Sha256Lane* const* lanes, std::size_t block_count) noexcept;

}  // namespace chunker::hash
