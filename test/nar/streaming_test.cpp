#include <gtest/gtest.h>
#include <sys/resource.h>

#include "chunker/nar.hpp"
#include "nar/archive.hpp"

namespace chunker {
namespace {

using test::Archive;

/// Counts contents and looks where their views point.
class ContentsCounter final : public NarVisitor {
 public:
  explicit ContentsCounter(Bytes piece) : piece_(piece) {}
  Result<void> on_contents(Bytes piece) override {
    bytes += piece.size();
    if (piece.data() < piece_.data() ||
        piece.data() + piece.size() > piece_.data() + piece_.size()) {
      ++copies;
    }
    return {};
  }
  std::uint64_t bytes = 0;
  int copies = 0;

 private:
  Bytes piece_;
};

long peak_memory_kib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

// 5 GB: offsets beyond 32 bits.
TEST(NarStreaming, R1_6_FiveGigabytesPassWithoutBufferingOrCopies) {
  const std::string piece(4 << 20, 'x');
  constexpr std::uint64_t kPieces = 1250;
  const std::uint64_t size = kPieces * piece.size();
  const Archive head = Archive::root_directory()
                           .entry("big")
                           .strings("(", "type", "regular", "contents")
                           .number(size);
  const Archive tail = Archive().strings(")", ")").entry("small").empty_file().strings(")", ")");

  ContentsCounter counter(bytes_of(piece));
  NarParser parser;
  ASSERT_TRUE(parser.feed(bytes_of(head.bytes()), counter));
  const long before_kib = peak_memory_kib();
  for (std::uint64_t i = 0; i < kPieces; ++i) ASSERT_TRUE(parser.feed(bytes_of(piece), counter));
  ASSERT_TRUE(parser.feed(bytes_of(tail.bytes()), counter));
  ASSERT_TRUE(parser.finish());

  EXPECT_EQ(counter.bytes, size);
  EXPECT_EQ(counter.copies, 0);
  EXPECT_EQ(parser.offset_bytes(), head.size() + size + tail.size());
  EXPECT_LT(peak_memory_kib() - before_kib, 1024);
}

// Memory must not grow with the number of entries either.
TEST(NarStreaming, R1_6_AMillionEntriesPassInConstantMemory) {
  NarVisitor ignore;
  NarParser parser;
  ASSERT_TRUE(parser.feed(bytes_of(Archive::root_directory().bytes()), ignore));
  std::string entry = Archive().entry("0000000").empty_file().strings(")").bytes();
  const std::size_t name_at = entry.find("0000000");
  long before_kib = 0;
  for (int i = 0; i < 1'000'000; ++i) {
    if (i == 1000) before_kib = peak_memory_kib();
    for (int digit = 6, rest = i; digit >= 0; --digit, rest /= 10) {
      entry[name_at + static_cast<std::size_t>(digit)] = static_cast<char>('0' + rest % 10);
    }
    ASSERT_TRUE(parser.feed(bytes_of(entry), ignore));
  }
  EXPECT_LT(peak_memory_kib() - before_kib, 1024);
  ASSERT_TRUE(parser.feed(bytes_of(Archive().strings(")").bytes()), ignore));
  EXPECT_TRUE(parser.finish());
}

}  // namespace
}  // namespace chunker
