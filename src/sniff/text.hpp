#pragma once

#include "sniff/histogram.hpp"

namespace chunker::sniff {

/// Whether `bytes`, which `histogram` counts, read like text: no control characters but those that move the
/// cursor, and what is not ASCII is UTF-8, cut off anywhere, or sparse enough to be ISO 8859. UTF-16 is told by
/// its byte order mark.
[[nodiscard]] bool is_text(Bytes bytes, const Histogram& histogram) noexcept;

}  // namespace chunker::sniff
