#include "resource/file.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "support/temporary_directory.hpp"

namespace chunker::resource {
namespace {

using ::testing::HasSubstr;

class FileTest : public ::testing::Test {
 protected:
  test::TemporaryDirectory directory_;
  std::filesystem::path path(std::string_view name) const { return directory_.path() / name; }

  void write_file(std::string_view name, std::string_view text) const {
    auto file = File::create_new(path(name));
    ASSERT_TRUE(file) << describe(file.error());
    ASSERT_TRUE(file->write_all(bytes_of(text)));
    ASSERT_TRUE(file->close());
  }
};

std::string read_all_at(const File& file, std::uint64_t offset, std::size_t size) {
  ByteBuffer buffer(size);
  const auto count = file.read_at(offset, buffer.span());
  EXPECT_TRUE(count);
  return std::string(text_of(buffer.view().first(count.value_or(0))));
}

TEST_F(FileTest, ReadsBackWhatItWrote) {
  write_file("a", "hello, world");
  auto file = File::open_read(path("a"));
  ASSERT_TRUE(file);
  EXPECT_EQ(file->size(), 12U);
  EXPECT_EQ(read_all_at(*file, 7, 5), "world");
}

TEST_F(FileTest, ReadsFewerBytesOnlyAtTheEnd) {
  write_file("a", "12345");
  auto file = File::open_read(path("a"));
  ASSERT_TRUE(file);
  EXPECT_EQ(read_all_at(*file, 3, 10), "45");
  EXPECT_EQ(read_all_at(*file, 5, 10), "");
  EXPECT_EQ(read_all_at(*file, ~std::uint64_t{0}, 10), "");
  EXPECT_EQ(read_all_at(*file, 1ULL << 62, 10), "");
}

TEST_F(FileTest, CreateNewRefusesAnExistingFile) {
  write_file("a", "kept");
  EXPECT_FALSE(File::create_new(path("a")));
  auto file = File::open_read(path("a"));
  ASSERT_TRUE(file);
  EXPECT_EQ(read_all_at(*file, 0, 10), "kept");
}

TEST_F(FileTest, ErrorsSayWhichFileAndWhy) {
  const auto missing = File::open_read(path("missing"));
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::io_not_found);
  EXPECT_EQ(missing.error().context, path("missing").string());
  EXPECT_EQ(missing.error().what, "cannot open: No such file or directory");

  const auto directory = File::open_read(directory_.path());
  ASSERT_FALSE(directory);
  EXPECT_EQ(directory.error().code, ErrorCode::io_not_found);
  EXPECT_EQ(directory.error().what, "cannot open: Is a directory");
}

TEST_F(FileTest, WaitingForAWriterEndsOnRequest) {
  ASSERT_EQ(::mkfifo(path("fifo").c_str(), 0600), 0);
  std::stop_source stop;
  const std::jthread stopper([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    stop.request_stop();
  });
  const auto fifo = File::open_read(path("fifo"), stop.get_token());
  ASSERT_FALSE(fifo);
  EXPECT_EQ(fifo.error().code, ErrorCode::cancelled);
}

TEST_F(FileTest, AFifoIsReadUntilItsWriterLeaves) {
  ASSERT_EQ(::mkfifo(path("fifo").c_str(), 0600), 0);
  const std::jthread writer([&] {
    auto out = File::open_write(path("fifo"));
    ASSERT_TRUE(out);
    EXPECT_TRUE(out->write_all(bytes_of("one")));
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    EXPECT_TRUE(out->write_all(bytes_of("two")));
  });
  auto fifo = File::open_read(path("fifo"));
  ASSERT_TRUE(fifo);
  ByteBuffer bytes(16);
  std::string text;
  for (;;) {
    const auto count = fifo->read_some(bytes.span());
    ASSERT_TRUE(count) << count.error().what;
    if (*count == 0) break;
    text += text_of(bytes.view().first(*count));
  }
  EXPECT_EQ(text, "onetwo");
}

TEST_F(FileTest, EveryErrnoHasOneMeaning) {
  EXPECT_EQ(code_of(ENOENT), ErrorCode::io_not_found);
  for (const int error : {EACCES, EPERM, EROFS})
    EXPECT_EQ(code_of(error), ErrorCode::io_permission);
  for (const int error : {ENOSPC, EDQUOT, EFBIG}) EXPECT_EQ(code_of(error), ErrorCode::io_no_space);
  for (const int error : {EMFILE, ENFILE}) EXPECT_EQ(code_of(error), ErrorCode::io_too_many_files);
  EXPECT_EQ(code_of(EIO), ErrorCode::io_failed);
  EXPECT_EQ(code_of(EBUSY), ErrorCode::io_unavailable);
}

TEST_F(FileTest, FullDeviceIsNoSpace) {
  File full = File::adopt(::open("/dev/full", O_WRONLY | O_CLOEXEC), "/dev/full");
  ASSERT_TRUE(full.is_open());
  const auto written = full.write_all(bytes_of("x"));
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, ErrorCode::io_no_space);
  EXPECT_THAT(written.error().context, HasSubstr("/dev/full"));
}

TEST_F(FileTest, NoDescriptorLeftIsItsOwnError) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit none = before;
  none.rlim_cur = 0;
  write_file("a", "x");
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  const auto file = File::open_read(path("a"));
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().code, ErrorCode::io_too_many_files);
}

TEST_F(FileTest, ReadsAndWritesPipesWhole) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  File in = File::adopt(ends[0], "pipe"), out = File::adopt(ends[1], "pipe");
  const std::string sent(1 << 20, 'p');  // More than any pipe holds, so writes come back short.
  std::thread writer([&] {
    EXPECT_TRUE(out.write_all(bytes_of(sent)));
    EXPECT_TRUE(out.close());
  });
  std::string got;
  ByteBuffer buffer(10'000);
  for (;;) {
    const auto count = in.read_some(buffer.span());
    if (!count || *count == 0) break;
    got.append(text_of(buffer.view().first(*count)));
  }
  writer.join();
  EXPECT_EQ(got, sent);
}

void ignore_signal(int) {}

TEST_F(FileTest, InterruptedCallsAreRepeated) {
  struct sigaction action{}, before{};
  action.sa_handler =
      ignore_signal;  // Without SA_RESTART, so that read() really comes back with EINTR.
  ASSERT_EQ(::sigaction(SIGUSR1, &action, &before), 0);
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  File in = File::adopt(ends[0], "pipe"), out = File::adopt(ends[1], "pipe");
  const pthread_t reader = ::pthread_self();
  std::thread interrupter([&] {
    for (int i = 0; i < 20; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
      ::pthread_kill(reader, SIGUSR1);
    }
    EXPECT_TRUE(out.write_all(bytes_of("x")));
  });
  std::byte one{};
  const auto count = in.read_some({&one, 1});
  interrupter.join();
  ::sigaction(SIGUSR1, &before, nullptr);
  ASSERT_TRUE(count) << describe(count.error());
  EXPECT_EQ(*count, 1U);
}

TEST_F(FileTest, SyncsFilesAndDirectories) {
  auto file = File::create_new(path("a"));
  ASSERT_TRUE(file);
  ASSERT_TRUE(file->write_all(bytes_of("x")));
  file->start_writeback(0, 1);
  EXPECT_TRUE(file->sync_data());
  EXPECT_TRUE(sync_directory(directory_.path()));
  EXPECT_EQ(sync_directory(path("missing")).error().code, ErrorCode::io_not_found);
}

TEST_F(FileTest, RenameReplaces) {
  write_file("a", "new");
  write_file("b", "old");
  ASSERT_TRUE(rename_file(path("a"), path("b")));
  auto file = File::open_read(path("b"));
  ASSERT_TRUE(file);
  EXPECT_EQ(read_all_at(*file, 0, 10), "new");
  EXPECT_EQ(rename_file(path("a"), path("c")).error().code, ErrorCode::io_not_found);
}

TEST_F(FileTest, RemoveSaysWhetherThereWasAFile) {
  write_file("a", "x");
  EXPECT_EQ(remove_file(path("a")), true);
  EXPECT_EQ(remove_file(path("a")), false);
}

TEST_F(FileTest, MakeDirectorySaysWhetherItIsNew) {
  EXPECT_EQ(make_directory(path("d")), true);
  EXPECT_EQ(make_directory(path("d")), false);
  write_file("f", "x");
  EXPECT_FALSE(make_directory(path("f")));
  EXPECT_EQ(make_directory(path("no/d")).error().code, ErrorCode::io_not_found);
}

TEST_F(FileTest, ExclusiveLockExcludesEverybody) {
  auto held = FileLock::try_exclusive(path("lock"));
  ASSERT_TRUE(held);
  const auto second = FileLock::try_exclusive(path("lock"));
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::store_locked);
  EXPECT_EQ(second.error().context, path("lock").string());
  EXPECT_EQ(FileLock::try_shared(path("lock")).error().code, ErrorCode::store_locked);
}

TEST_F(FileTest, SharedLocksExcludeOnlyExclusiveOnes) {
  auto first = FileLock::try_shared(path("lock"));
  ASSERT_TRUE(first);
  ASSERT_TRUE(FileLock::try_shared(path("lock")));
  EXPECT_FALSE(FileLock::try_exclusive(path("lock")));
}

TEST_F(FileTest, LockEndsWithItsOwner) {
  {
    ASSERT_TRUE(FileLock::try_exclusive(path("lock")));
  }
  EXPECT_TRUE(FileLock::try_exclusive(path("lock")));
}

TEST_F(FileTest, LockOfAKilledProcessIsFree) {
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const auto lock = FileLock::try_exclusive(path("lock"));
    const char told = lock ? 'y' : 'n';
    if (::write(ready[1], &told, 1) != 1) ::_exit(1);
    for (;;) ::pause();
  }
  char told = 0;
  ASSERT_EQ(::read(ready[0], &told, 1), 1);
  ASSERT_EQ(told, 'y');
  EXPECT_EQ(FileLock::try_exclusive(path("lock")).error().code, ErrorCode::store_locked);
  ::kill(child, SIGKILL);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  EXPECT_TRUE(FileLock::try_exclusive(path("lock")));
  ::close(ready[0]);
  ::close(ready[1]);
}

TEST_F(FileTest, MovedFromFileIsClosed) {
  write_file("a", "x");
  auto file = File::open_read(path("a"));
  ASSERT_TRUE(file);
  File taken = std::move(*file);
  EXPECT_FALSE(file->is_open());  // NOLINT(bugprone-use-after-move): that is what is tested.
  EXPECT_EQ(read_all_at(taken, 0, 1), "x");
}

TEST_F(FileTest, RoomThatIsReservedDoesNotChangeTheFile) {
  auto file = File::create_new(path("a"));
  ASSERT_TRUE(file);
  ASSERT_TRUE(file->reserve(4 << 20));
  ASSERT_TRUE(file->write_all(bytes_of("short")));
  EXPECT_EQ(file->size(), 5U);
}

#if defined(__linux__)
TEST_F(FileTest, RoomThatIsNotThereIsAnErrorAtOnceWhereTheFileSystemCanTell) {
  auto file = File::create_new(path("a"));
  ASSERT_TRUE(file);
  const bool can_reserve = ::fallocate(file->descriptor(), FALLOC_FL_KEEP_SIZE, 0, 1) == 0;
  const auto reserved = file->reserve(std::uint64_t{1} << 60);
  ASSERT_EQ(reserved.has_value(), !can_reserve);
  if (can_reserve) {
    EXPECT_THAT(describe(reserved.error()), HasSubstr("cannot make room"));
    EXPECT_THAT(describe(reserved.error()), HasSubstr(path("a").string()));
  }
}
#endif

}  // namespace
}  // namespace chunker::resource
