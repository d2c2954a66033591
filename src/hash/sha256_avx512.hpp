#pragma once

#include "hash/sha256_kernels.hpp"

namespace chunker::hash {

// Only on processors with AVX-512 F and BW.
void sha256_avx512_sixteen(Sha256Lane* const* lanes, std::size_t block_count) noexcept;

}  // namespace chunker::hash
