#include "chunker/async_chunk_stream.hpp"

#include <stop_token>
#include <utility>

#include "base/catching.hpp"
#include "base/try.hpp"
#include "pipeline/errand.hpp"

namespace chunker {

struct AsyncChunkStream::State {
  ChunkStream stream;
  /// Shared with those who are calling it: when it returns, the stream may be gone.
  std::shared_ptr<const ResumeOn> resume_on;
  std::stop_token stop;
  bool is_awaited = false;
  std::optional<Error> dead{};
};

/// What is sent to the executor for a coroutine that waits. There it may be kept for longer than that one lives, so it
/// keeps nothing of the stream's alive.
class AsyncChunkStream::Next::Call final : public pipeline::Errand,
                                           public std::enable_shared_from_this<Call> {
 public:
  explicit Call(Next& next) : next_(&next), resume_on_(next.state_->resume_on) {}

  /// Nobody waits any more.
  void end() noexcept { next_ = nullptr; }

  /// Makes steps, each in a turn of its own, until the coroutine can go on; false if a turn to come will see to that.
  /// Once one was sent away, all but `call` may be gone.
  static bool go_on(std::shared_ptr<Call> call) noexcept {
    for (;;) {
      auto sent = pipeline::send(call, *call->resume_on_);
      if (sent && *sent == pipeline::Sent::away) return false;
      Next* const next = call->next_;
      if (next == nullptr) return false;
      if (!sent) next->state_->dead = std::move(sent).error();
      if (next->state_->dead || next->step()) return true;
    }
  }

  std::coroutine_handle<> run() noexcept override {
    if (next_ == nullptr) return nullptr;
    return next_->step() || go_on(shared_from_this()) ? next_->waiting_ : nullptr;
  }

  std::coroutine_handle<> drop() noexcept override {
    if (next_ == nullptr) return nullptr;
    next_->state_->dead = pipeline::dropped();
    return next_->waiting_;
  }

 private:
  Next* next_;
  const std::shared_ptr<const ResumeOn> resume_on_;
};

AsyncChunkStream::Next::~Next() { leave(); }

bool AsyncChunkStream::Next::await_ready() const noexcept { return state_->dead.has_value(); }

bool AsyncChunkStream::Next::await_suspend(std::coroutine_handle<> waiting) {
  auto call = base::catching([&]() -> Result<std::shared_ptr<Call>> {
    if (state_->is_awaited) {
      return base::fail(ErrorCode::invalid_argument, "another coroutine waits for this stream");
    }
    return std::make_shared<Call>(*this);
  });
  if (!call) {
    outcome_ = std::unexpected(std::move(call).error());
    return false;
  }
  state_->is_awaited = true;
  waiting_ = waiting;
  call_ = *call;
  return !Call::go_on(*std::move(call));
}

AsyncChunkStream::Next::Outcome AsyncChunkStream::Next::await_resume() {
  leave();
  if (state_->dead) return std::unexpected(*state_->dead);
  return outcome_;
}

/// Whether there is something to go on with.
bool AsyncChunkStream::Next::step() {
  State& state = *state_;
  auto step = base::catching([&]() -> Result<StreamStep> {
    if (state.stop.stop_requested()) {
      return base::fail(ErrorCode::cancelled, "stopped on request");
    }
    return state.stream.next();
  });
  if (!step) {
    state.dead = std::move(step).error();
  } else if (step->kind == StreamStep::Kind::chunk) {
    outcome_ = step->chunk;
  } else if (step->kind == StreamStep::Kind::ended) {
    outcome_ = std::nullopt;
  } else {
    return false;
  }
  return true;
}

void AsyncChunkStream::Next::leave() noexcept {
  if (!call_) return;
  call_->end();
  call_ = nullptr;
  state_->is_awaited = false;
}

Result<AsyncChunkStream> AsyncChunkStream::on(Result<ChunkStream> stream, ResumeOn resume_on,
                                              std::stop_token stop) {
  if (!stream) return std::unexpected(std::move(stream).error());
  return base::catching([&]() -> Result<AsyncChunkStream> {
    if (!resume_on) {
      return base::fail(ErrorCode::invalid_argument, "there is no executor to resume on");
    }
    auto shared = std::make_shared<const ResumeOn>(std::move(resume_on));
    return AsyncChunkStream(
        std::make_shared<State>(*std::move(stream), std::move(shared), std::move(stop)));
  });
}

Result<AsyncChunkStream> AsyncChunkStream::open(const std::filesystem::path& path,
                                                ResumeOn resume_on, const ChunkingOptions& chunking,
                                                StreamOptions options) {
  options.cooperative = true;
  return on(ChunkStream::open(path, chunking, options), std::move(resume_on), options.stop);
}

Result<AsyncChunkStream> AsyncChunkStream::over(ByteSource source, ResumeOn resume_on,
                                                const ChunkingOptions& chunking,
                                                StreamOptions options) {
  options.cooperative = true;
  return on(ChunkStream::over(std::move(source), chunking, options), std::move(resume_on),
            options.stop);
}

AsyncChunkStream::Next AsyncChunkStream::next() { return Next(state_); }

bool AsyncChunkStream::is_nar() const noexcept { return state_->stream.is_nar(); }

std::vector<NarEntry> AsyncChunkStream::take_entries() { return state_->stream.take_entries(); }

References AsyncChunkStream::take_references() { return state_->stream.take_references(); }

}  // namespace chunker
