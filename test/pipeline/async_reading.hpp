#pragma once

#include <algorithm>
#include <condition_variable>
#include <coroutine>
#include <cstddef>
#include <deque>
#include <exception>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "chunker/async_chunk_stream.hpp"

namespace chunker::test {

/// A coroutine that begins at once and ends with its owner, wherever it is by then.
class Task {
 public:
  struct promise_type {
    Task get_return_object() {
      return Task(std::coroutine_handle<promise_type>::from_promise(*this));
    }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_always final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() { std::terminate(); }
  };

  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Task& operator=(Task&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Task() {
    if (handle_) handle_.destroy();
  }

 private:
  explicit Task(std::coroutine_handle<promise_type> handle) : handle_(handle) {}
  std::coroutine_handle<promise_type> handle_;
};

/// The smallest executor: goes on with everything in its order, on the thread that calls it.
class Loop {
 public:
  Loop() = default;
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;
  ~Loop() { end(); }

  void post(std::coroutine_handle<> handle) { ready_.push_back(handle); }
  ResumeOn resume_on() {
    return [this](std::coroutine_handle<> handle) { post(handle); };
  }

  bool run_one() {
    if (ready_.empty()) return false;
    const auto handle = ready_.front();
    ready_.pop_front();
    ++turn_count_;
    handle.resume();
    return true;
  }
  void run() {
    while (run_one()) {
    }
  }
  void end() {
    for (const auto handle : std::exchange(ready_, {})) handle.destroy();
  }

  [[nodiscard]] std::size_t waiting_count() const { return ready_.size(); }
  [[nodiscard]] std::size_t turn_count() const { return turn_count_; }

  /// For other coroutines: to go on when it is their turn again.
  auto turn() {
    struct Turn {
      Loop& loop;
      bool await_ready() { return false; }
      void await_suspend(std::coroutine_handle<> handle) { loop.post(handle); }
      void await_resume() {}
    };
    return Turn{*this};
  }

 private:
  std::deque<std::coroutine_handle<>> ready_;
  std::size_t turn_count_ = 0;
};

/// Threads that take whatever is there; ends when nothing was left.
class Pool {
 public:
  void post(std::coroutine_handle<> handle) {
    const std::lock_guard lock(mutex_);
    ready_.push_back(handle);
    changed_.notify_one();
  }
  ResumeOn resume_on() {
    return [this](std::coroutine_handle<> handle) { post(handle); };
  }

  void run(std::size_t thread_count) {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < thread_count; ++i) threads.emplace_back([this] { work(); });
  }

 private:
  void work() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [this] { return !ready_.empty() || running_ == 0; });
      if (ready_.empty()) return;
      const auto handle = ready_.front();
      ready_.pop_front();
      ++running_;
      lock.unlock();
      handle.resume();
      lock.lock();
      --running_;
      changed_.notify_all();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::coroutine_handle<>> ready_;
  std::size_t running_ = 0;
};

/// All of `bytes`; counts what was read, and notes by whom.
struct Source {
  std::string_view rest;
  std::size_t read_bytes = 0;
  std::vector<std::thread::id> threads{};

  ByteSource get() {
    return [this](MutableBytes out) -> Result<std::size_t> {
      const std::size_t count = std::min(out.size(), rest.size());
      std::ranges::copy(bytes_of(rest.substr(0, count)), out.begin());
      rest.remove_prefix(count);
      read_bytes += count;
      if (threads.empty() || threads.back() != std::this_thread::get_id()) {
        threads.push_back(std::this_thread::get_id());
      }
      return count;
    };
  }
};

struct Seen {
  std::vector<ChunkExtent> extents{};
  std::vector<Digest> digests{};
  std::string bytes{};
  std::vector<NarEntry> entries{};
  References references{};
  bool is_nar = false;
  bool ended = false;
  std::optional<Error> error{};

  friend bool operator==(const Seen&, const Seen&) = default;

  void add(const StreamedChunk& chunk) {
    extents.push_back(chunk.extent);
    digests.push_back(chunk.digest);
    bytes += text_of(chunk.bytes);
  }
  template <class Stream>
  void add_rest(Stream& stream) {
    entries = stream.take_entries();
    references = stream.take_references();
    is_nar = stream.is_nar();
    ended = true;
  }
};

inline Task read_all(AsyncChunkStream stream, Seen& seen) {
  for (;;) {
    const auto chunk = co_await stream.next();
    if (!chunk) {
      seen.error = chunk.error();
      co_return;
    }
    if (!*chunk) break;
    seen.add(**chunk);
  }
  seen.add_rest(stream);
}

}  // namespace chunker::test
