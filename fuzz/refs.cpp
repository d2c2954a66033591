#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "base/check.hpp"
#include "base/wire.hpp"
#include "refs/reference_format.hpp"

// As a hash list and a position list, the input must be refused or spelled the same. As a stream, with a prefix
// so short that references are frequent, it must give the same however it is split and whatever the processor,
// and come back whole and in parts.

namespace {

using namespace chunker;
using namespace chunker::refs;

constexpr std::string_view kPrefix = "/a/";

MutableBytes bytes_in(std::string& text) {
  return std::as_writable_bytes(std::span(text.data(), text.size()));
}

struct Normalized {
  std::string text;
  References references;

  bool operator==(const Normalized&) const = default;
};

// Each byte of `steps`, over and over, is how much more is offered; empty is all at once.
Normalized normalize(std::string text, Bytes steps, const base::CpuFeatures& cpu) {
  auto normalizer = ReferenceNormalizer::make(kPrefix, cpu).value();
  std::size_t begin = 0, end = 0, step = 0;
  do {
    const std::size_t more = steps.empty()
                                 ? text.size()
                                 : std::to_integer<std::size_t>(steps[step++ % steps.size()]) + 1;
    end = std::min(text.size(), end + more);
    begin += normalizer.normalize(bytes_in(text).subspan(begin, end - begin), end == text.size());
  } while (end != text.size());
  CHUNKER_CHECK(begin == end);
  return {std::move(text), std::move(normalizer).take()};
}

void check_stream(const std::string& text, Bytes steps) {
  const Normalized whole = normalize(text, {}, {});
  CHUNKER_CHECK(normalize(text, {}, base::detect_cpu_features()) == whole);
  CHUNKER_CHECK(normalize(text, steps, {}) == whole);
  CHUNKER_CHECK(normalize(text, steps, base::detect_cpu_features()) == whole);

  std::string restored = whole.text;
  for (std::size_t begin = 0, step = 0; begin < text.size();) {
    const std::size_t wanted = steps.empty()
                                   ? text.size()
                                   : std::to_integer<std::size_t>(steps[step++ % steps.size()]) + 1;
    const std::size_t size = std::min(text.size() - begin, wanted);
    restore_references(whole.references, begin, bytes_in(restored).subspan(begin, size));
    begin += size;
  }
  CHUNKER_CHECK(restored == text);

  const auto encoded = encode_references(whole.references, text.size());
  CHUNKER_CHECK(encoded.has_value());
  CHUNKER_CHECK(decode_references(encoded->hash_list, encoded->position_list, text.size()) ==
                whole.references);
}

void check_lists(Bytes hash_list, Bytes position_list, std::uint64_t nar_bytes) {
  const auto decoded = decode_references(hash_list, position_list, nar_bytes);
  if (!decoded) {
    CHUNKER_CHECK(decoded.error().offset_bytes <= hash_list.size() + position_list.size());
    return;
  }
  const auto encoded = encode_references(*decoded, nar_bytes);
  CHUNKER_CHECK(encoded.has_value());
  CHUNKER_CHECK(text_of(encoded->hash_list) == text_of(hash_list));
  CHUNKER_CHECK(text_of(encoded->position_list) == text_of(position_list));
}

}  // namespace

// input := varint nar_bytes, u8 n, n bytes of steps or hashes, the rest
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  base::WireReader reader(std::as_bytes(std::span(data, size)));
  const auto nar_bytes = reader.varint();
  const auto first_bytes = reader.le<std::uint8_t>();
  const auto first = first_bytes ? reader.bytes(*first_bytes) : std::nullopt;
  if (!nar_bytes || !first) return 0;
  check_lists(*first, reader.rest(), *nar_bytes);
  check_stream(std::string(text_of(reader.rest())), *first);
  return 0;
}
