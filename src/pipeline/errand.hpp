#pragma once

#include <coroutine>
#include <cstdint>
#include <memory>

#include "chunker/async_chunk_stream.hpp"
#include "chunker/error.hpp"

namespace chunker::pipeline {

/// What is done when its turn on an executor of the caller's comes.
/// Threads: movable.
class Errand {
 public:
  virtual ~Errand() = default;
  /// Its turn. Returns the coroutine that goes on behind it, if any.
  [[nodiscard]] virtual std::coroutine_handle<> run() noexcept = 0;
  /// There will be none: the executor has destroyed the handle.
  [[nodiscard]] virtual std::coroutine_handle<> drop() noexcept = 0;
};

enum class Sent : std::uint8_t {
  away,  ///< run() or drop() is called, once: by then on another thread, perhaps.
  back,  ///< The executor resumed the handle before it returned. Nothing was called: it is the sender's turn.
};

/// Gives an executor a handle that stands for `errand`.
/// Errors: what `resume_on` threw; cancelled if it destroyed the handle before it returned; memory_limit_exceeded.
/// Nothing was called then, and nothing will be.
[[nodiscard]] Result<Sent> send(std::shared_ptr<Errand> errand, const ResumeOn& resume_on);

/// An executor has let go of what it was given.
[[nodiscard]] Error dropped();

}  // namespace chunker::pipeline
