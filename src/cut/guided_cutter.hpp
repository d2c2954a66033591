#pragma once

#include <cstdint>
#include <optional>
#include <utility>

#include "chunker/bytes.hpp"
#include "cut/cutter.hpp"
#include "cut/landmarks.hpp"

namespace chunker::cut {

/// A cutter whose cuts move to landmarks, if there are any to move to. Offsets are the stream's.
/// Owns:    the cutter; borrows the landmarks, which follow the same stream.
/// Threads: movable.
/// Errors:  none; std::bad_alloc.
/// Cost:    without landmarks, one branch per piece and cut.
class GuidedCutter {
 public:
  /// `landmarks` may be null: then no cut moves.
  GuidedCutter(AnyCutter cutter, Landmarks* landmarks, std::uint64_t offset_bytes) noexcept
      : cutter_(std::move(cutter)),
        landmarks_(landmarks),
        start_(offset_bytes),
        at_(offset_bytes) {}

  /// A chunk begins at `start`, and the stream stands at `at`: less than the least chunk behind it.
  void restart(std::uint64_t start, std::uint64_t at) noexcept {
    cutter_.restart(at - start);
    start_ = start;
    at_ = at;
    natural_.reset();
    ahead_.reset();
  }
  /// Like the cutter's scan; but a cut may lie up to landmark_reach() before the byte that `rest` was moved on to.
  [[nodiscard]] std::optional<std::uint64_t> scan(Bytes& rest) {
    return landmarks_ == nullptr ? cutter_.scan(rest) : scan_guided(rest);
  }

 private:
  [[nodiscard]] std::optional<std::uint64_t> scan_guided(Bytes& rest);

  AnyCutter cutter_;
  Landmarks* landmarks_;
  std::uint64_t start_;
  std::uint64_t at_;
  std::optional<std::uint64_t> natural_;
  std::optional<std::uint64_t> ahead_;  // where it moves to, if that is not seen yet
};

}  // namespace chunker::cut
