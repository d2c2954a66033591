// Content detection on hostile bytes: what it says stays within its ranges, and follows from the bytes alone, of
// which only the first 4096 decide the kind.
#include <cstdlib>

#include "chunker/content_type.hpp"

using namespace chunker;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes input = std::as_bytes(std::span(data, size));
  const ContentKind kind = sniff_content(input);
  require(name(kind.type) != "unknown");
  require(kind == sniff_content(input.first(std::min(size, kSniffedBytesMax))));
  require(kind.format == ContentFormat::unknown || name(kind.format) != "unknown");

  const ContentProfile profile = profile_content(input);
  require(profile.type == kind.type && profile.format == kind.format);
  require(profile.entropy_estimate >= 0 && profile.entropy_estimate <= 8);
  require(!profile.run_length || profile.entropy_estimate < 2);

  // A long chunk, of which the sample takes pieces.
  ByteBuffer repeated;
  for (int i = 0; i < 40; ++i) repeated.append(input.first(std::min<std::size_t>(size, 1000)));
  require(profile_content(repeated) == profile_content(ByteBuffer(repeated.view())));
  return 0;
}
