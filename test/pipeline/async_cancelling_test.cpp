#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <iterator>
#include <memory>
#include <optional>
#include <stop_token>
#include <thread>
#include <utility>

#include "chunker/async_chunk_stream.hpp"
#include "pipeline/async_reading.hpp"
#include "pipeline/store_fixture.hpp"

namespace chunker {
namespace {

using test::Loop;
using test::Seen;
using test::Task;

std::size_t open_descriptors() {
  return static_cast<std::size_t>(
      std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {}));
}

/// A file that is read on a loop, and everything that must be gone in the end.
class CancelledStreams : public test::StoreFixture {
 protected:
  void begin() {
    stop_ = {};
    loop_.emplace();
    const auto resume_on = [this, held = held_](std::coroutine_handle<> handle) {
      loop_->post(handle);
    };
    auto stream = AsyncChunkStream::open(
        path_, resume_on, test::small_chunks().chunking,
        {.max_iteration_time_us = 20, .memory_budget = budget_, .stop = stop_.get_token()});
    ASSERT_OK(stream);
    EXPECT_GT(open_descriptors(), descriptors_);
    EXPECT_NE(budget_->usage().current_usage_bytes, 0U);
    seen_ = {};
    task_.emplace(test::read_all(*std::move(stream), seen_));
  }
  /// Calls `cancel` after no turn, after one, and so on until all is read before.
  template <class Cancel>
  void after_every_turn(const Cancel& cancel) {
    std::size_t turn_count = 0;
    for (bool ended = false; !ended; ++turn_count) {
      begin();
      for (std::size_t i = 0; i < turn_count && loop_->run_one(); ++i) {
      }
      ended = seen_.ended;
      if (!ended) cancel();
      expect_nothing_left();
    }
    EXPECT_GT(turn_count, 30U);
  }
  void expect_cancelled() const {
    ASSERT_TRUE(seen_.error);
    EXPECT_EQ(seen_.error->code, ErrorCode::cancelled);
  }
  void expect_nothing_left() {
    task_.reset();
    loop_->run();
    EXPECT_EQ(open_descriptors(), descriptors_);
    EXPECT_EQ(budget_->usage().current_usage_bytes, 0U);
    EXPECT_EQ(held_.use_count(), 1) << "what was given to the executor is alive";
  }

  const std::filesystem::path path_ = write_nar("f", test::random_bytes(1, 300'000));
  const std::shared_ptr<MemoryBudget> budget_ = std::make_shared<MemoryBudget>();
  const std::shared_ptr<int> held_ = std::make_shared<int>();
  const std::size_t descriptors_ = open_descriptors();
  std::stop_source stop_;
  std::optional<Loop> loop_;
  Seen seen_;
  std::optional<Task> task_;
};

TEST_F(CancelledStreams, R24_5_OnRequestNothingIsLeft) {
  after_every_turn([this] {
    const std::size_t chunk_count = seen_.extents.size();
    stop_.request_stop();
    loop_->run_one();
    expect_cancelled();
    EXPECT_EQ(seen_.extents.size(), chunk_count) << "one turn is enough";
    EXPECT_EQ(loop_->waiting_count(), 0U);
  });
}

TEST_F(CancelledStreams, R24_5_WithItsCoroutineDestroyedNothingIsLeft) {
  after_every_turn([this] {
    task_.reset();
    // At once, whatever the executor still has.
    EXPECT_EQ(open_descriptors(), descriptors_);
    EXPECT_EQ(budget_->usage().current_usage_bytes, 0U);
    EXPECT_EQ(loop_->waiting_count(), 1U);
  });
}

TEST_F(CancelledStreams, R24_5_WithTheExecutorEndedNothingIsLeft) {
  after_every_turn([this] {
    loop_->end();
    expect_cancelled();
  });
}

TEST_F(CancelledStreams, R24_5_WithBothDestroyedNothingIsLeft) {
  after_every_turn([this] {
    task_.reset();
    loop_->end();
  });
}

TEST_F(CancelledStreams, R24_5_OnRequestAReadEndsThatWaits) {
  const auto path = directory_.path() / "pipe";
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  const int writer = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  ASSERT_EQ(::write(writer, "abc", 3), 3);
  test::Pool pool;
  auto stream = AsyncChunkStream::open(path, pool.resume_on(), {}, {.stop = stop_.get_token()});
  ASSERT_OK(stream);
  task_.emplace(test::read_all(*std::move(stream), seen_));
  {
    const std::jthread stopping([&] {
      // Once it has been read, nothing more comes.
      for (int count = 3; ::ioctl(writer, FIONREAD, &count) == 0 && count != 0;) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
      stop_.request_stop();
    });
    pool.run(1);
  }
  expect_cancelled();
  task_.reset();
  ::close(writer);
  EXPECT_EQ(open_descriptors(), descriptors_);
}

}  // namespace
}  // namespace chunker
