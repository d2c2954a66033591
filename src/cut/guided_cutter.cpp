#include "cut/guided_cutter.hpp"

#include <algorithm>

namespace chunker::cut {

std::optional<std::uint64_t> GuidedCutter::scan_guided(Bytes& rest) {
  if (!natural_) {
    const std::uint64_t end = at_ + rest.size();
    if (const auto length = cutter_.scan(rest)) natural_ = start_ + *length;
    at_ = end - rest.size();
  }
  // The end of the stream does not move, so there must be more.
  if (!natural_ || (*natural_ == at_ && rest.empty())) return std::nullopt;
  if (!ahead_) {
    const std::uint64_t cut = landmarks_->move(start_, *natural_);
    if (cut <= at_) return cut - start_;
    ahead_ = cut;
  }
  const std::uint64_t passed = std::min<std::uint64_t>(rest.size(), *ahead_ - at_);
  rest = rest.subspan(static_cast<std::size_t>(passed));
  at_ += passed;
  return at_ == *ahead_ ? std::optional(at_ - start_) : std::nullopt;
}

}  // namespace chunker::cut
