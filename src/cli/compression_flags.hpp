#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "chunker/codec.hpp"

namespace chunker::cli {

/// The options that say how new chunks are compressed.
struct CompressionFlags {
  std::string strategy = "balanced";
  CompressionOptions options;

  void add_to(CLI::App& command);
  [[nodiscard]] CompressionOptions compression() const;
};

}  // namespace chunker::cli
