#pragma once

#include <string>
#include <utility>

#include "chunker/error.hpp"

namespace chunker::base {

/// An error as the unexpected side of any Result.
[[nodiscard]] inline std::unexpected<Error> fail(ErrorCode code, std::string_view what,
                                                 std::uint64_t offset_bytes = Error::kNoOffset,
                                                 std::string context = {}) {
  return std::unexpected(Error{code, what, offset_bytes, std::move(context)});
}

}  // namespace chunker::base

#define CHUNKER_CONCAT_(a, b) a##b
#define CHUNKER_CONCAT(a, b) CHUNKER_CONCAT_(a, b)

/// CHUNKER_TRY(auto value, call()): the value, or return the call's error. (`std::expected` in g++ 12
/// has no and_then.)
#define CHUNKER_TRY(declaration, ...) \
  CHUNKER_TRY_IMPL(CHUNKER_CONCAT(chunker_result_, __LINE__), declaration, __VA_ARGS__)
#define CHUNKER_TRY_IMPL(result, declaration, ...)                \
  auto result = (__VA_ARGS__);                                    \
  if (!result) return std::unexpected(std::move(result).error()); \
  declaration = *std::move(result)

/// CHUNKER_TRY_VOID(call()): return the call's error, if it has one.
#define CHUNKER_TRY_VOID(...)                                    \
  do {                                                           \
    if (auto chunker_result = (__VA_ARGS__); !chunker_result)    \
      return std::unexpected(std::move(chunker_result).error()); \
  } while (false)
