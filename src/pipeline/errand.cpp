#include "pipeline/errand.hpp"

#include <exception>
#include <optional>
#include <tuple>
#include <utility>

#include "base/catching.hpp"
#include "base/try.hpp"

namespace chunker::pipeline {
namespace {

/// A call of a `resume_on` that is under way on this thread.
class Sending {
 public:
  enum class End : std::uint8_t { resumed, destroyed };

  explicit Sending(const Errand* errand)
      : errand_(errand), outer_(std::exchange(innermost, this)) {}
  ~Sending() { innermost = outer_; }
  Sending(const Sending&) = delete;
  Sending& operator=(const Sending&) = delete;

  static Sending* of(const Errand* errand) noexcept {
    Sending* sending = innermost;
    while (sending != nullptr && sending->errand_ != errand) sending = sending->outer_;
    return sending;
  }

  std::optional<End> end{};  ///< Of the handle, if it has come to one already.

 private:
  inline static thread_local Sending* innermost = nullptr;

  const Errand* errand_;
  Sending* outer_;
};

/// What the handle owns, to be used once.
class Ticket {
 public:
  explicit Ticket(std::shared_ptr<Errand> errand) : errand_(std::move(errand)) {}
  Ticket(Ticket&&) noexcept = default;
  Ticket& operator=(Ticket&&) = delete;
  /// What the coroutine that goes on lets escape is dropped: destroying does not throw.
  ~Ticket() {
    const std::coroutine_handle<> next = end(Sending::End::destroyed);
    std::ignore = base::catching([&]() -> Result<void> {
      next.resume();
      return {};
    });
  }

  std::coroutine_handle<> end(Sending::End how) noexcept {
    const std::shared_ptr<Errand> errand = std::exchange(errand_, nullptr);
    if (!errand) return std::noop_coroutine();
    if (Sending* const sending = Sending::of(errand.get())) {
      sending->end = how;
      return std::noop_coroutine();
    }
    const auto next = how == Sending::End::resumed ? errand->run() : errand->drop();
    return next ? next : std::noop_coroutine();
  }

 private:
  std::shared_ptr<Errand> errand_;
};

/// The coroutine that an executor is given. It owns itself, is resumed once, and then makes way for what goes on.
struct Turn {
  struct promise_type;
  std::coroutine_handle<> handle;
};

struct MakeWay {
  bool await_ready() const noexcept { return false; }
  std::coroutine_handle<> await_suspend(
      std::coroutine_handle<Turn::promise_type> turn) const noexcept;
  void await_resume() const noexcept {}
};

struct Turn::promise_type {
  Turn get_return_object() noexcept {
    return {std::coroutine_handle<promise_type>::from_promise(*this)};
  }
  std::suspend_always initial_suspend() const noexcept { return {}; }
  MakeWay final_suspend() const noexcept { return {}; }
  void return_value(std::coroutine_handle<> goes_on) noexcept { next = goes_on; }
  void unhandled_exception() const noexcept { std::terminate(); }  // Nothing in it throws.

  std::coroutine_handle<> next{};
};

std::coroutine_handle<> MakeWay::await_suspend(
    std::coroutine_handle<Turn::promise_type> turn) const noexcept {
  const std::coroutine_handle<> goes_on = turn.promise().next;
  turn.destroy();
  return goes_on;
}

Turn turn_with(Ticket ticket) { co_return ticket.end(Sending::End::resumed); }

}  // namespace

Error dropped() { return {ErrorCode::cancelled, "the executor did not resume what it was given"}; }

Result<Sent> send(std::shared_ptr<Errand> errand, const ResumeOn& resume_on) {
  Sending sending(errand.get());
  CHUNKER_TRY(const std::coroutine_handle<> handle,
              base::catching([&]() -> Result<std::coroutine_handle<>> {
                return turn_with(Ticket(std::move(errand))).handle;
              }));
  const auto taken = base::catching([&]() -> Result<void> {
    resume_on(handle);
    return {};
  });
  if (!taken) {
    if (!sending.end) handle.destroy();
    return std::unexpected(Error(taken.error()).within("resume_on"));
  }
  if (!sending.end) return Sent::away;
  if (sending.end == Sending::End::destroyed) return std::unexpected(dropped());
  return Sent::back;
}

}  // namespace chunker::pipeline
