#pragma once

#include <exception>
#include <new>
#include <string_view>
#include <system_error>

#include "base/try.hpp"
#include "chunker/error.hpp"

namespace chunker::base {

/// The error that the exception being handled stands for.
[[nodiscard]] inline Error error_of_exception() {
  try {
    throw;
  } catch (const std::bad_alloc&) {
    return {ErrorCode::memory_limit_exceeded, "memory is exhausted"};
  } catch (const std::exception& error) {
    const auto* system = dynamic_cast<const std::system_error*>(&error);
    const bool no_thread =
        system != nullptr ? system->code() == std::errc::resource_unavailable_try_again
                          : std::string_view(error.what()).starts_with("pthread_create");  // oneTBB
    if (no_thread) return {ErrorCode::memory_limit_exceeded, "no thread can be started"};
    return {ErrorCode::internal, "a dependency failed", Error::kNoOffset, error.what()};
  } catch (...) {
    return {ErrorCode::internal, "a dependency failed without saying why"};
  }
}

/// What `work` returns; an exception of a dependency becomes an error here, so that none leaves a thread.
template <class Work>
[[nodiscard]] auto catching(Work&& work) -> decltype(work()) {
  try {
    return work();
  } catch (...) {
    return std::unexpected(error_of_exception());
  }
}

}  // namespace chunker::base
