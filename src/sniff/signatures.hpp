#pragma once

#include "chunker/content_type.hpp"

namespace chunker::sniff {

/// The format whose signature stands in `beginning`, or unknown.
[[nodiscard]] ContentFormat format_by_signature(Bytes beginning) noexcept;

/// What files of `format` are. `format` is not unknown.
[[nodiscard]] ContentType type_of(ContentFormat format) noexcept;

}  // namespace chunker::sniff
