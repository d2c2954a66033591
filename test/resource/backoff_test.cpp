#include "resource/backoff.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <thread>
#include <vector>

#include "resource/file.hpp"

namespace chunker::resource {
namespace {

using std::chrono::microseconds;

TEST(Backoff, R11_3_WaitsTwiceAsLongEachTimeAndNotForEver) {
  std::vector<microseconds> pauses;
  Backoff backoff([&](microseconds pause) { pauses.push_back(pause); });
  while (backoff.wait()) {
  }
  ASSERT_EQ(pauses.size(), static_cast<std::size_t>(Backoff::kTriesMax));
  for (std::size_t i = 0; i < pauses.size(); ++i) {
    const microseconds full = Backoff::kFirst * (1 << i);
    EXPECT_GE(pauses[i], full * 3 / 4);
    EXPECT_LE(pauses[i], full * 5 / 4);
  }
  EXPECT_FALSE(backoff.wait()) << "once it was enough it stays enough";
}

TEST(Backoff, R11_3_WaitsNoLongerThanUntilStopIsRequested) {
  std::stop_source stop;
  Backoff backoff;
  const auto begin = std::chrono::steady_clock::now();
  const std::jthread later([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(40));
    stop.request_stop();
  });
  while (backoff.wait(stop.get_token())) {
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(190));
  EXPECT_FALSE(Backoff().wait(stop.get_token()));
}

#if defined(__linux__)
// Memory that is not there is a file that cannot be read for now: EIO.
class FlakyFile : public testing::Test {
 protected:
  void SetUp() override {
    // A hole of one page: nothing else fits in, as the stack of a thread would.
    void* const pages =
        ::mmap(nullptr, 3 * kPageBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(pages, MAP_FAILED);
    page_ = static_cast<std::byte*>(pages) + kPageBytes;
    ASSERT_EQ(::munmap(page_, kPageBytes), 0);
    memory_ = File::adopt(::open("/proc/self/mem", O_RDONLY | O_CLOEXEC), "flaky");
    ASSERT_TRUE(memory_.is_open());
  }
  void TearDown() override { ::munmap(page_ - kPageBytes, 3 * kPageBytes); }

  void bring_back() {
    ASSERT_EQ(::mmap(page_, kPageBytes, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0),
              page_);
  }
  [[nodiscard]] std::uint64_t offset() const { return reinterpret_cast<std::uintptr_t>(page_); }

  static constexpr std::size_t kPageBytes = 4096;
  std::byte* page_ = nullptr;
  File memory_;
  std::vector<std::byte> out_ = std::vector<std::byte>(kPageBytes, std::byte{1});
};

TEST_F(FlakyFile, R11_3_AReadThatFailsForTheMomentIsTriedAgain) {
  std::jthread later([this] {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    bring_back();
  });
  const auto read = memory_.read_at(offset(), out_);
  ASSERT_TRUE(read) << describe(read.error());
  EXPECT_EQ(*read, kPageBytes);
  EXPECT_EQ(out_, std::vector<std::byte>(kPageBytes));
}

TEST_F(FlakyFile, R11_3_SoIsOneAtTheFilesOwnPosition) {
  ASSERT_EQ(::lseek(memory_.descriptor(), static_cast<off_t>(offset()), SEEK_SET),
            static_cast<off_t>(offset()));
  std::jthread later([this] {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    bring_back();
  });
  const auto read = memory_.read_some(out_);
  ASSERT_TRUE(read) << describe(read.error());
  EXPECT_EQ(*read, kPageBytes);
}

TEST_F(FlakyFile, R11_3_WhatKeepsFailingIsAnErrorSoon) {
  const auto begin = std::chrono::steady_clock::now();
  const auto read = memory_.read_at(offset(), out_);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, ErrorCode::io_failed);
  EXPECT_GT(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(150));
}

TEST_F(FlakyFile, R11_3_OfAFileThatCannotBeReadOnlyTheFirstReadWaits) {
  ASSERT_FALSE(memory_.read_at(offset(), out_));
  const File moved = std::move(memory_);
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(moved.read_at(offset(), out_));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(150));
  bring_back();
  EXPECT_TRUE(moved.read_at(offset(), out_)) << "and what can be read is read";
}
#endif

}  // namespace
}  // namespace chunker::resource
