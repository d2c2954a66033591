#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <string_view>

#include "chunker/algorithm_use.hpp"
#include "chunker/error.hpp"

namespace chunker::cli {

/// Fields stay in the order they are written in. Text from outside goes through json_text().
using Json = nlohmann::ordered_json;

/// The fields of an error object (doc/json.md), "kind" first.
[[nodiscard]] Json json_of(const Error& error, std::string_view kind);

/// The counters of each algorithm under its key (doc/json.md).
[[nodiscard]] Json json_of(std::span<const AlgorithmUse> uses);

}  // namespace chunker::cli
