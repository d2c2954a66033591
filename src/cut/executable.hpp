#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "chunker/bytes.hpp"

namespace chunker::cut {

/// The instruction sets whose functions are recognized.
enum class Machine : std::uint8_t { other, x86, arm64 };

/// What an executable's headers say of its parts; offsets are counted from its beginning.
/// Owns:    its lists, a few dozen elements, however the headers were made up.
/// Threads: movable.
/// Errors:  none; what contradicts itself is left out.
/// Cost:    at most 4 KiB.
struct Executable {
  struct Range {
    std::uint64_t begin;
    std::uint64_t end;
  };

  Machine machine = Machine::other;
  std::vector<std::uint64_t> boundaries;  ///< Ascending; where segments and sections begin and end.
  std::vector<Range> code;                ///< Where instructions are.

  /// The first of the code ranges that hold `offset`.
  [[nodiscard]] std::optional<Range> code_at(std::uint64_t offset) const noexcept;
  /// Of the boundaries from `first` to `last` the nearest to `offset`; the earlier of two.
  [[nodiscard]] std::optional<std::uint64_t> nearest_boundary(std::uint64_t offset,
                                                              std::uint64_t first,
                                                              std::uint64_t last) const noexcept;
};

/// The parts of an ELF or 64-bit Mach-O file that begins like this, as far as headers are in `beginning`;
/// of any other nothing. ELF's sections stand at its end, so its segments speak for them.
[[nodiscard]] Executable read_executable(Bytes beginning);

}  // namespace chunker::cut
