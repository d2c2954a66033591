#include "codec/bounded_output.hpp"

#include <algorithm>
#include <limits>

#include "base/try.hpp"

namespace chunker::codec {
namespace {

// A limit this small is taken for the size itself: who knows the size gets one allocation and no growth.
constexpr std::size_t kFirstBytes = std::size_t{4} << 20;
// Otherwise the first guess is what NAR contents typically decode to.
constexpr std::size_t kGuessedRatio = 4;

std::size_t saturating_sum(std::size_t size, std::uint64_t more) noexcept {
  const std::size_t room = std::numeric_limits<std::size_t>::max() - size;
  return size + static_cast<std::size_t>(std::min<std::uint64_t>(room, more));
}

}  // namespace

BoundedOutput::BoundedOutput(ByteBuffer& output, std::uint64_t bytes_max,
                             std::size_t input_bytes) noexcept
    : output_(output),
      start_(output.size()),
      limit_(saturating_sum(start_, bytes_max)),
      input_bytes_(input_bytes),
      end_(start_) {}

MutableBytes BoundedOutput::room() {
  if (end_ == limit_) return {&spare_, 1};
  if (end_ == output_.size()) grow();
  return output_.span().subspan(end_);
}

void BoundedOutput::grow() {
  if (end_ == output_.capacity()) {
    const std::size_t so_far = end_ - start_;
    const std::size_t first = limit_ - start_ <= kFirstBytes
                                  ? limit_ - start_
                                  : std::min(input_bytes_, kFirstBytes) * kGuessedRatio;
    output_.reserve(
        std::min(limit_, saturating_sum(end_, std::max({so_far, first, std::size_t{4096}}))));
  }
  output_.resize(std::min(limit_, output_.capacity()));
}

Result<void> BoundedOutput::wrote(std::size_t count) {
  if (count != 0 && end_ == limit_) {
    return base::fail(ErrorCode::decompressed_too_large,
                      "the compressed bytes hold more than the limit allows");
  }
  end_ += count;
  return {};
}

}  // namespace chunker::codec
