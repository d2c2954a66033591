#pragma once

#include <filesystem>
#include <string>

#include "chunker/error.hpp"
#include "chunker/store.hpp"

// The file chunker.store, which says what a directory is (doc/format/store.md).
namespace chunker::store {

struct Description {
  StoreLayout layout = StoreLayout::packs;
  std::string hash;
  std::string id;  ///< 32 hex digits, random, so that two stores can be told apart.
};

/// Errors: store_not_found without the file, store_version, store_corrupt naming the line.
[[nodiscard]] Result<Description> read_description(const std::filesystem::path& directory);

/// Makes `directory` if needed and writes the file, durably and only if there is none.
/// Errors: invalid_argument if the directory holds other things; io_*.
[[nodiscard]] Result<Description> create_description(const std::filesystem::path& directory,
                                                     StoreLayout layout, std::string_view hash);

}  // namespace chunker::store
