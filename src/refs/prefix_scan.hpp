#pragma once

#include <cstddef>
#include <cstdint>

#include "base/cpu.hpp"
#include "refs/prefix_needle.hpp"

namespace chunker::refs {

/// Returns where `needle` first occurs as a whole in `size` bytes at `data`, or `size`.
using PrefixScan = std::size_t (*)(const PrefixNeedle& needle, const std::uint8_t* data,
                                   std::size_t size) noexcept;

/// The fastest scan that runs on `cpu`. All give the same answers.
[[nodiscard]] PrefixScan choose_prefix_scan(const base::CpuFeatures& cpu) noexcept;

}  // namespace chunker::refs
