#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "chunker/codec.hpp"
#include "chunker/error.hpp"

namespace chunker::cli {

/// The options that say how new chunks are compressed.
struct CompressionFlags {
  std::string strategy = "balanced";
  CompressionOptions options;

  void add_to(CLI::App& command);
  /// Errors: invalid_argument; codec_unavailable for a strategy whose codec this build lacks.
  [[nodiscard]] Result<CompressionOptions> compression() const;
};

}  // namespace chunker::cli
