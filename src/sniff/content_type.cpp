#include "chunker/content_type.hpp"

#include "sniff/histogram.hpp"
#include "sniff/signatures.hpp"
#include "sniff/text.hpp"

namespace chunker {
namespace {

constexpr std::size_t kRunLengthPercent = 90;
// Fewer bytes are too few to tell a high entropy.
constexpr std::size_t kStatisticsBytesMin = 1024;

ContentType type_by_statistics(Bytes beginning) noexcept {
  const auto histogram = sniff::Histogram::of(beginning);
  if (sniff::is_text(beginning, histogram)) return ContentType::text;
  if (histogram.size >= kStatisticsBytesMin && histogram.entropy() >= kIncompressibleEntropy) {
    return ContentType::compressed;
  }
  return ContentType::binary;
}

}  // namespace

ContentKind sniff_content(Bytes beginning) noexcept {
  beginning = beginning.first(std::min(beginning.size(), kSniffedBytesMax));
  const ContentFormat format = sniff::format_by_signature(beginning);
  if (format != ContentFormat::unknown) return {sniff::type_of(format), format};
  return {type_by_statistics(beginning), format};
}

ContentProfile profile_content(Bytes chunk) noexcept {
  const ContentKind kind = sniff_content(chunk);
  const auto sample = sniff::Histogram::of_sample(chunk);
  return {.type = kind.type,
          .format = kind.format,
          .run_length = sample.most() * 100 > sample.size * kRunLengthPercent,
          .entropy_estimate = sample.entropy()};
}

std::string_view name(ContentType type) noexcept {
  switch (type) {
    case ContentType::binary:
      return "binary";
    case ContentType::text:
      return "text";
    case ContentType::compressed:
      return "compressed";
    case ContentType::multimedia:
      return "multimedia";
  }
  return "unknown";
}

}  // namespace chunker
