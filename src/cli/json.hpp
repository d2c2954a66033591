#pragma once

#include <nlohmann/json.hpp>

#include "chunker/error.hpp"

namespace chunker::cli {

/// Fields stay in the order they are written in. Text from outside goes through json_text().
using Json = nlohmann::ordered_json;

/// The fields of an error object (doc/json.md), "kind" first.
[[nodiscard]] Json json_of(const Error& error, std::string_view kind);

}  // namespace chunker::cli
