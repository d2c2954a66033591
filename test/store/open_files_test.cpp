#include "store/open_files.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <string>
#include <thread>

#include "support/temporary_directory.hpp"

namespace chunker::store {
namespace {

class OpenFilesTest : public ::testing::Test {
 protected:
  OpenFiles files_{2};

  void SetUp() override {
    for (const char* key : {"a", "b", "c"}) std::ofstream(path(key)) << key;
  }
  std::filesystem::path path(std::string_view key) const { return directory_.path() / key; }
  const resource::File* open(std::string_view key) {
    const auto file = files_.open(key, path(key));
    return file ? file->get() : nullptr;
  }

 private:
  test::TemporaryDirectory directory_;
};

TEST_F(OpenFilesTest, AFileStaysOpen) {
  const auto* first = open("a");
  ASSERT_NE(first, nullptr);
  ASSERT_TRUE(std::filesystem::remove(path("a")));
  EXPECT_EQ(open("a"), first);
}

TEST_F(OpenFilesTest, TheOneUsedLongestAgoIsClosed) {
  ASSERT_NE(open("a"), nullptr);
  ASSERT_NE(open("b"), nullptr);
  ASSERT_NE(open("a"), nullptr);
  ASSERT_NE(open("c"), nullptr);  // Two fit: b must go.
  for (const char* key : {"a", "b", "c"}) ASSERT_TRUE(std::filesystem::remove(path(key)));
  EXPECT_NE(open("a"), nullptr);
  EXPECT_NE(open("c"), nullptr);
  EXPECT_EQ(open("b"), nullptr);
}

TEST_F(OpenFilesTest, AFileInUseOutlivesItsPlace) {
  const auto held = files_.open("a", path("a"));
  ASSERT_TRUE(held);
  ASSERT_NE(open("b"), nullptr);
  ASSERT_NE(open("c"), nullptr);
  std::byte first{};
  ASSERT_EQ((*held)->read_at(0, {&first, 1}), 1U);
  EXPECT_EQ(first, std::byte{'a'});
}

TEST_F(OpenFilesTest, ForgottenMeansOpenedAgain) {
  ASSERT_NE(open("a"), nullptr);
  ASSERT_TRUE(std::filesystem::remove(path("a")));
  files_.forget("a");
  EXPECT_EQ(open("a"), nullptr);
}

/// Whether the thread is blocked in a system call.
bool sleeps(pid_t thread) {
  std::ifstream stat("/proc/self/task/" + std::to_string(thread) + "/stat");
  std::string line;
  std::getline(stat, line);
  const std::size_t state = line.rfind(") ");
  return state != std::string::npos && line[state + 2] == 'S';
}

// Opening a pipe blocks until somebody writes to it, so a file can be replaced just while it is opened.
TEST_F(OpenFilesTest, AFileThatWasReplacedWhileItWasOpenedIsNotKept) {
  ASSERT_EQ(::mkfifo(path("k").c_str(), 0600), 0);
  std::atomic<pid_t> opener = 0;
  std::thread opening([&] {
    opener = ::gettid();
    EXPECT_NE(open("k"), nullptr);
  });
  while (opener == 0 || !sleeps(opener)) std::this_thread::yield();
  files_.forget("k");
  {
    std::ofstream wakes_the_opener(path("k"));
  }
  opening.join();
  ASSERT_TRUE(std::filesystem::remove(path("k")));
  std::ofstream(path("k")) << "new";
  const auto file = files_.open("k", path("k"));
  ASSERT_TRUE(file);
  EXPECT_EQ((*file)->size(), 3U);
}

}  // namespace
}  // namespace chunker::store
