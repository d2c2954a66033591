#include <gtest/gtest.h>

#include "chunker/content_type.hpp"
#include "sniff/samples.hpp"

namespace chunker {
namespace {

using test::random_bytes;
using test::repeated;

constexpr std::size_t kChunkBytes = 512 << 10;

ContentProfile profile(const std::string& chunk) { return profile_content(bytes_of(chunk)); }

TEST(ContentProfile, R16_6_ReportsTheEntropyOfTheWholeChunk) {
  EXPECT_GT(profile(random_bytes(kChunkBytes)).entropy_estimate, kIncompressibleEntropy);
  EXPECT_EQ(profile(std::string(kChunkBytes, 'x')).entropy_estimate, 0);
  EXPECT_NEAR(profile(repeated("0123456789abcdef", kChunkBytes)).entropy_estimate, 4, 0.01);
  // Not of its beginning: half of it is noise of 8 bits, half is zeros.
  const std::string half = random_bytes(kChunkBytes / 2) + std::string(kChunkBytes / 2, '\0');
  EXPECT_NEAR(profile(half).entropy_estimate, 5, 0.1);
  EXPECT_EQ(profile(half).type, ContentType::compressed);
}

TEST(ContentProfile, R16_3_OverNinetyPercentOfOneByteIsARun) {
  for (const std::size_t size : {10U, 100U, 4096U}) {
    const std::size_t noise = size / 10;
    std::string chunk = repeated("abc", noise) + std::string(size - noise, '\xee');
    EXPECT_EQ(profile(chunk).run_length, (size - noise) * 10 > size * 9) << size;
    chunk[0] = '\xee';
    EXPECT_TRUE(profile(chunk).run_length) << size;
  }
  EXPECT_TRUE(profile(std::string(kChunkBytes, '\0')).run_length);
  EXPECT_TRUE(profile(repeated("................................;", kChunkBytes)).run_length);
  EXPECT_FALSE(profile(repeated("....;", kChunkBytes)).run_length);
  EXPECT_FALSE(profile("").run_length);
}

TEST(ContentProfile, R16_1_HasTheKindOfItsBeginning) {
  const ContentProfile gzip = profile("\x1f\x8b\x08" + std::string(kChunkBytes, 'x'));
  EXPECT_EQ(gzip.type, ContentType::compressed);
  EXPECT_EQ(gzip.format, ContentFormat::gzip);
  EXPECT_TRUE(gzip.run_length);
  EXPECT_EQ(profile(""), (ContentProfile{ContentType::binary, ContentFormat::unknown, false, 0}));
}

}  // namespace
}  // namespace chunker
