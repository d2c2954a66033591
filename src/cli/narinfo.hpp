#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "chunker/error.hpp"

namespace chunker::cli {

/// What a signature needs to know of a .narinfo file.
struct NarInfo {
  std::string fingerprint;              ///< What is signed.
  std::vector<std::string> signatures;  ///< "name:base64", from its Sig lines.
};

/// Errors: invalid_argument naming the field that is absent or not as Nix writes it.
[[nodiscard]] Result<NarInfo> parse_narinfo(std::string_view text);

/// The text with this signature in place of those that the same key made before.
[[nodiscard]] std::string with_signature(std::string_view text, std::string_view signature);

}  // namespace chunker::cli
