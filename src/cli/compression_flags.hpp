#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <optional>
#include <string>

#include "chunker/codec.hpp"
#include "chunker/error.hpp"

namespace chunker::cli {

/// The options that say how new chunks are compressed.
struct CompressionFlags {
  std::string strategy = "balanced";
  CompressionOptions options;
  std::optional<int> zstd_level;

  void add_to(CLI::App& command);
  /// Errors: invalid_argument; codec_unavailable for a strategy whose codec this build lacks.
  [[nodiscard]] Result<CompressionOptions> compression() const;
  /// The library's own, zstd at the level that was asked for. Errors: invalid_argument for a level that it does not have.
  [[nodiscard]] Result<std::shared_ptr<const CodecRegistry>> codecs() const;
};

}  // namespace chunker::cli
