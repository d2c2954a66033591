#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "pipeline/store_fixture.hpp"

namespace chunker {
namespace {

class Idle : public test::StoreFixture {
 protected:
  Idle() { EXPECT_EQ(::pipe(pipe_), 0); }
  ~Idle() override {
    ::close(pipe_[0]);
    if (pipe_[1] >= 0) ::close(pipe_[1]);
  }

  void end_input() {
    ::close(pipe_[1]);
    pipe_[1] = -1;
  }

  static double processor_seconds() {
    rusage used{};
    ::getrusage(RUSAGE_SELF, &used);
    const auto seconds = [](const timeval& time) {
      return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
    };
    return seconds(used.ru_utime) + seconds(used.ru_stime);
  }

  /// What all threads of this process take of one processor while this one sleeps.
  static double share_while_idle() {
    constexpr std::chrono::duration<double> kWatched(2);
    const double before = processor_seconds();
    std::this_thread::sleep_for(kWatched);
    return (processor_seconds() - before) / kWatched.count();
  }

  int pipe_[2] = {-1, -1};
};

// What is in the process by then: workers, the index's threads, the committing thread, a reader that waits.
TEST_F(Idle, NFR2_2_ThreadsTakeUnderAHundredthOfAProcessor) {
  Result<Store> store = open();
  ASSERT_OK(store);
  ASSERT_OK(take_in(*store, {{"a.nar", test::make_nar({{"a", test::random_bytes(1, 3 << 20)}})},
                             {"b.nar", test::make_nar({{"b", test::random_bytes(2, 100'000)}})}}));
  std::this_thread::sleep_for(std::chrono::milliseconds(500));  // Workers look for work a little.
  EXPECT_LT(share_while_idle(), 0.01) << "an open store";

  std::jthread waiting([&] {
    const IngestSource from_pipe{IngestSource::Kind::file_descriptor, {}, pipe_[0], "pipe.nar"};
    (void)ingest(*store, {&from_pipe, 1}, test::small_chunks(), {});
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  EXPECT_LT(share_while_idle(), 0.01) << "an ingest that waits for its input";
  end_input();
}

}  // namespace
}  // namespace chunker
