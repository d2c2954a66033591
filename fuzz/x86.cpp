// The filter for x86 code on any bytes: each direction undoes the other, whatever the bytes and wherever they lie.
#include <algorithm>
#include <cstdlib>

#include "codec/x86_filter.hpp"

using namespace chunker;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes input = std::as_bytes(std::span(data, size));
  ByteBuffer content(input);
  codec::x86_to_absolute(content.span());
  codec::x86_to_relative(content.span());
  if (!std::ranges::equal(content.view(), input)) std::abort();
  codec::x86_to_relative(content.span());
  codec::x86_to_absolute(content.span());
  if (!std::ranges::equal(content.view(), input)) std::abort();
  static_cast<void>(codec::looks_like_x86(input));
  return 0;
}
