#include "cut/fast_cdc.hpp"

#include <algorithm>

#include "base/try.hpp"
#include "cut/gear.hpp"
#include "cut/params.hpp"

namespace chunker::cut {
namespace {

constexpr std::uint64_t even(std::uint64_t value) noexcept { return value & ~std::uint64_t{1}; }

}  // namespace

// fastcdc-rs rolls two bytes at a time, so its limits are pairs: all three are rounded down to even.
struct FastCdc::Plan {
  GearTables tables;
  GearMasks masks;
  GearScan scan;
  std::uint64_t first;   // the first byte that is mixed in and tested
  std::uint64_t center;  // the first byte that is tested with the other mask
  std::uint64_t limit;   // the first byte that is not tested again
  std::uint64_t max;     // where a chunk ends in any case
};

Result<void> FastCdc::validate_params(const Recipe& recipe) {
  CHUNKER_TRY_VOID(check_common_params(recipe));
  CHUNKER_TRY_VOID(check_range("avg_bytes", recipe.avg_bytes, kAvgBytesMin, kAvgBytesMax));
  CHUNKER_TRY_VOID(check_range("max_bytes", recipe.max_bytes, kMaxBytesMin, cut::kMaxBytesMax));
  return check_range("normalization", recipe.normalization, 0, kNormalizationMax);
}

FastCdc::FastCdc(const Recipe& recipe, const CutKernel& kernel)
    : plan_(std::make_shared<const Plan>(Plan{.tables = make_gear_tables(recipe.seed),
                                              .masks = gear_masks(recipe),
                                              .scan = kernel.scan,
                                              .first = even(recipe.min_bytes),
                                              .center = even(recipe.avg_bytes),
                                              .limit = even(recipe.max_bytes),
                                              .max = recipe.max_bytes})) {}

void FastCdc::restart(std::uint64_t seen_bytes) noexcept {
  position_ = seen_bytes;
  hash_ = 0;
  match_held_ = false;
}

void FastCdc::find_candidates(Bytes piece, Candidates& found) const {
  cut::find_candidates(plan_->tables, plan_->masks, plan_->scan, piece, found);
}

std::size_t FastCdc::scan_for_match(Bytes bytes, std::size_t center) noexcept {
  return plan_->scan(plan_->tables, plan_->masks,
                     reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size(), center,
                     hash_);
}

// The index of the byte that ends the next match, or the number of bytes. Candidates tell it from where the window
// lies in both the chunk and their piece.
std::size_t FastCdc::find_match(Bytes bytes, std::size_t center) noexcept {
  if (candidates_ == nullptr || !candidates_->cover(bytes)) return scan_for_match(bytes, center);
  const auto begin = static_cast<std::size_t>(bytes.data() - candidates_->piece.data());
  const std::uint64_t seen = std::min<std::uint64_t>(begin, position_ - plan_->first);
  const std::uint64_t lacks = kWindowBytes - 1 - std::min<std::uint64_t>(seen, kWindowBytes - 1);
  const auto scanned = static_cast<std::size_t>(std::min<std::uint64_t>(lacks, bytes.size()));
  const std::size_t found = scan_for_match(bytes.first(scanned), center);
  if (found != scanned || scanned == bytes.size()) return found;
  const std::size_t next =
      candidates_->next(begin + scanned, begin + bytes.size(), begin + center) - begin;
  if (next == bytes.size()) {
    hash_ = hash_of(plan_->tables, bytes.data() + bytes.size() - kWindowBytes, kWindowBytes);
  }
  return next;
}

// A match at byte p ends the chunk before p: that byte begins the next chunk. Bytes p and p + 1 of an even
// p are a pair, and only whole pairs are tested, so a match at an even p counts once p + 1 exists.
std::optional<std::uint64_t> FastCdc::scan(Bytes& rest) noexcept {
  const Plan& plan = *plan_;
  const auto pass = [&](std::uint64_t until) {
    const std::uint64_t count = std::min<std::uint64_t>(rest.size(), until - position_);
    rest = rest.subspan(static_cast<std::size_t>(count));
    position_ += count;
  };
  if (rest.empty()) return std::nullopt;
  if (match_held_) return position_ - 1;
  if (position_ < plan.first) pass(plan.first);
  if (position_ < plan.limit) {
    const auto size =
        static_cast<std::size_t>(std::min<std::uint64_t>(rest.size(), plan.limit - position_));
    const std::uint64_t center = plan.center > position_ ? plan.center - position_ : 0;
    const std::size_t found = find_match(rest.first(size), static_cast<std::size_t>(center));
    position_ += found;
    rest = rest.subspan(found);
    if (found != size) {
      if (rest.size() > 1 || position_ % 2 == 1) return position_;
      match_held_ = true;
      pass(position_ + 1);
      return std::nullopt;
    }
  }
  if (position_ < plan.max) pass(plan.max);
  return position_ == plan.max ? std::optional(position_) : std::nullopt;
}

}  // namespace chunker::cut
