#include "cut/rabin_karp.hpp"

#include <algorithm>

#include "base/try.hpp"
#include "cut/params.hpp"

// A string of bytes is a polynomial over GF(2), its first bit the highest power; its fingerprint is the
// remainder by kPolynomial. Remainders add by XOR, so all that is ever needed is the remainder of one byte
// times a power of x, and those are tables:
//   appending byte b:  f * x^8 + b; the eight bits that leave the top come back as `carry[1][top]`
//   dropping byte b:   it weighs b * x^(8 * 48) once a new byte is in: `drop[0][b]`
// Two bytes go in one step, because the next look-up waits for the fingerprint: f * x^16 needs two look-ups
// that do not wait for each other.
namespace chunker::cut {
namespace {

constexpr unsigned kDegree = 53;
constexpr std::uint64_t kRemainderMask = (1ULL << kDegree) - 1;

// value * x^8 mod the polynomial.
constexpr std::uint64_t times_x8(std::uint64_t value) noexcept {
  for (int bit = 0; bit < 8; ++bit) {
    value <<= 1;
    if ((value >> kDegree) != 0) value ^= RabinKarp::kPolynomial;
  }
  return value;
}

using Table = std::array<std::uint64_t, 256>;

}  // namespace

struct RabinKarp::Plan {
  std::array<Table, 2> carry;  // [k]: byte * x^(53 + 8k)
  std::array<Table, 2> drop;   // [k]: byte * x^(8 * (48 + k))
  std::uint64_t mask;
  std::uint64_t first;  // the first byte that is mixed in
  std::uint64_t min;
  std::uint64_t max;

  explicit Plan(const Recipe& recipe) noexcept
      : mask((1ULL << rounded_log2(recipe.avg_bytes - recipe.min_bytes)) - 1),
        first(recipe.min_bytes - kWindowBytes),
        min(recipe.min_bytes),
        max(recipe.max_bytes) {
    for (std::uint64_t byte = 0; byte < 256; ++byte) {
      std::uint64_t value = byte;
      for (std::size_t power = 0; power < kWindowBytes; ++power) value = times_x8(value);
      drop[0][byte] = value;
      drop[1][byte] = times_x8(value);
      // byte * x^53: the byte stands in the top of the remainder, and eight more powers push it out.
      carry[0][byte] = times_x8(byte << (kDegree - 8));
      carry[1][byte] = times_x8(carry[0][byte]);
    }
  }

  // The fingerprint with one byte more and one less.
  [[nodiscard]] std::uint64_t slide(std::uint64_t f, std::uint8_t in,
                                    std::uint8_t out) const noexcept {
    return ((f << 8) & kRemainderMask) ^ carry[0][f >> (kDegree - 8)] ^ in ^ drop[0][out];
  }

  // Twice that.
  [[nodiscard]] std::uint64_t slide_two(std::uint64_t f, const std::uint8_t* in,
                                        const std::uint8_t* out) const noexcept {
    const std::uint64_t arrived = (static_cast<std::uint64_t>(in[0]) << 8) | in[1];
    const std::uint64_t carried =
        carry[1][f >> (kDegree - 8)] ^ carry[0][(f >> (kDegree - 16)) & 0xff];
    return ((f << 16) & kRemainderMask) ^ carried ^ arrived ^ drop[1][out[0]] ^ drop[0][out[1]];
  }
};

Result<void> RabinKarp::validate_params(const Recipe& recipe) {
  CHUNKER_TRY_VOID(check_common_params(recipe));
  CHUNKER_TRY_VOID(check_range("avg_bytes", recipe.avg_bytes, recipe.min_bytes + kSpreadBytesMin,
                               recipe.max_bytes));
  // A seed is meant to hide cut points; this polynomial is public.
  return check_range("seed", recipe.seed, 0, 0);
}

RabinKarp::RabinKarp(const Recipe& recipe) : plan_(std::make_shared<const Plan>(recipe)) {}

void RabinKarp::restart(std::uint64_t seen_bytes) noexcept {
  position_ = seen_bytes;
  fingerprint_ = 0;
  window_.fill(0);
}

std::optional<std::uint64_t> RabinKarp::scan(Bytes& rest) noexcept {
  const Plan& plan = *plan_;
  if (position_ < plan.first) {
    const std::uint64_t skipped = std::min<std::uint64_t>(rest.size(), plan.first - position_);
    rest = rest.subspan(static_cast<std::size_t>(skipped));
    position_ += skipped;
  }
  const auto size =
      static_cast<std::size_t>(std::min<std::uint64_t>(rest.size(), plan.max - position_));
  const Rolled rolled = roll(reinterpret_cast<const std::uint8_t*>(rest.data()), size);
  rest = rest.subspan(rolled.bytes);
  position_ += rolled.bytes;
  return rolled.cut || position_ == plan.max ? std::optional(position_) : std::nullopt;
}

RabinKarp::Rolled RabinKarp::roll(const std::uint8_t* data, std::size_t size) noexcept {
  const Plan& plan = *plan_;
  const auto matches = [mask = plan.mask](std::uint64_t f) { return (~f & mask) == 0; };
  std::uint64_t f = fingerprint_;
  std::size_t i = 0;
  // The bytes that leave came in earlier pieces; before the window is full they are zeros, which weigh
  // nothing.
  for (; i < std::min(size, kWindowBytes); ++i) {
    f = plan.slide(f, data[i], window_[i]);
    if (matches(f) && position_ + i + 1 >= plan.min) return {i + 1, true};
  }
  for (; size - i >= 2; i += 2) {
    const std::uint8_t* const out = data + i - kWindowBytes;
    const std::uint64_t one = plan.slide(f, data[i], out[0]);
    f = plan.slide_two(f, data + i, out);
    if (matches(one)) [[unlikely]]
      return {i + 1, true};
    if (matches(f)) [[unlikely]]
      return {i + 2, true};
  }
  for (; i < size; ++i) {
    f = plan.slide(f, data[i], data[i - kWindowBytes]);
    if (matches(f)) return {i + 1, true};
  }
  fingerprint_ = f;
  remember(data, size);
  return {size, false};
}

void RabinKarp::remember(const std::uint8_t* data, std::size_t size) noexcept {
  const std::size_t fresh = std::min(size, kWindowBytes);
  std::shift_left(window_.begin(), window_.end(), static_cast<std::ptrdiff_t>(fresh));
  std::copy_n(data + size - fresh, fresh, window_.end() - static_cast<std::ptrdiff_t>(fresh));
}

}  // namespace chunker::cut
