#pragma once

#include <coroutine>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <utility>
#include <vector>

#include "chunker/chunk_stream.hpp"
#include "chunker/chunking.hpp"
#include "chunker/error.hpp"
#include "chunker/nar.hpp"
#include "chunker/references.hpp"
#include "chunker/threads.hpp"

namespace chunker {

/// Puts a coroutine where an executor will resume it later, on whichever of its threads. The executor resumes the handle
/// once, or destroys it, and must not look at it afterwards. To throw is to refuse it. To resume it before returning is
/// possible, but then nobody else gets a turn.
using ResumeOn = std::function<void(std::coroutine_handle<>)>;

/// ChunkStream for coroutines, on the caller's executor. Before every step next() asks there for a turn, and a step takes
/// no longer than `max_iteration_time_us`: so others have theirs between two chunks, and within a large one (R12.4).
/// It has no thread, and does nothing but in those turns: what nobody awaits is not read (R24.4).
///
///     Task print_chunks(Loop& loop, std::filesystem::path path, std::stop_token stop) {
///       auto stream = AsyncChunkStream::open(path, [&loop](auto handle) { loop.post(handle); }, {}, {.stop = stop});
///       if (!stream) co_return print(describe(stream.error()));
///       for (;;) {
///         const auto chunk = co_await stream->next();
///         if (!chunk) co_return print(describe(chunk.error()));
///         if (!*chunk) co_return;  // There are no more.
///         print((*chunk)->digest);
///       }
///     }
///
/// Blocks: open(), and in its turns whatever the source does, as it reads: the time above is of computing. Where a
///          thread must not wait for a disk or a pipe, call open() on one that may, and give a `resume_on` to such
///          threads; or read beforehand, and give over() what is in memory (R24.3).
/// Owns:    what ChunkStream does. It goes with the stream and its Next, wherever the coroutine was when it was
///          destroyed: a handle that an executor still has then does nothing (R24.5).
/// Threads: movable; not while a turn may be running. One coroutine at a time waits.
/// Errors:  those of ChunkStream; cancelled from the first turn after a request to stop, or where the executor destroyed
///          the handle; for what `resume_on` threw `internal`, or what the exception stands for; all of them repeated.
///          invalid_argument if another coroutine waits.
/// Cost:    that of ChunkStream, and 0.1 us and an allocation for each turn, and what the executor takes; for each chunk
///          one more allocation.
class AsyncChunkStream {
 public:
  class Next;

  /// `cooperative` need not be set. Errors: those of ChunkStream; invalid_argument without a `resume_on`.
  [[nodiscard]] static Result<AsyncChunkStream> open(const std::filesystem::path& path,
                                                     ResumeOn resume_on,
                                                     const ChunkingOptions& chunking = {},
                                                     StreamOptions options = {});
  [[nodiscard]] static Result<AsyncChunkStream> over(ByteSource source, ResumeOn resume_on,
                                                     const ChunkingOptions& chunking = {},
                                                     StreamOptions options = {});

  /// To be awaited: the next chunk, or nothing behind the last one. Its bytes are valid until this is called again.
  [[nodiscard]] Next next();

  /// As in ChunkStream; not while a coroutine waits.
  [[nodiscard]] bool is_nar() const noexcept;
  [[nodiscard]] std::vector<NarEntry> take_entries();
  [[nodiscard]] References take_references();

 private:
  struct State;
  static Result<AsyncChunkStream> on(Result<ChunkStream> stream, ResumeOn resume_on,
                                     std::stop_token stop);
  explicit AsyncChunkStream(std::shared_ptr<State> state) noexcept : state_(std::move(state)) {}
  std::shared_ptr<State> state_;
};

/// A chunk that will be there.
/// Owns:    a share of the stream.
/// Threads: movable, together with the coroutine that awaits it.
/// Errors:  those of the stream.
/// Cost:    see there.
class AsyncChunkStream::Next {
 public:
  using Outcome = Result<std::optional<StreamedChunk>>;

  Next(const Next&) = delete;
  Next& operator=(const Next&) = delete;
  ~Next();

  [[nodiscard]] bool await_ready() const noexcept;
  [[nodiscard]] bool await_suspend(std::coroutine_handle<> waiting);
  [[nodiscard]] Outcome await_resume();

 private:
  friend class AsyncChunkStream;
  class Call;
  explicit Next(std::shared_ptr<State> state) noexcept : state_(std::move(state)) {}
  [[nodiscard]] bool step();
  void leave() noexcept;

  std::shared_ptr<State> state_;
  std::shared_ptr<Call> call_{};
  std::coroutine_handle<> waiting_{};
  Outcome outcome_{};
};

template <>
inline constexpr Threads threads_of<AsyncChunkStream> = Threads::movable;
template <>
inline constexpr Threads threads_of<AsyncChunkStream::Next> = Threads::movable;

}  // namespace chunker
