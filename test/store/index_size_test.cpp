#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdio>
#include <filesystem>

#include "store/index.hpp"
#include "support/digests.hpp"
#include "support/temporary_directory.hpp"

// What an index costs on disk: a fixed part that every small store pays, and a part per chunk.
namespace chunker::store {
namespace {

namespace fs = std::filesystem;

/// As `du` counts: blocks, not lengths.
std::uint64_t disk_bytes(const fs::path& directory) {
  std::uint64_t total = 0;
  for (const auto& entry : fs::directory_iterator(directory)) {
    struct stat status{};
    EXPECT_EQ(::stat(entry.path().c_str(), &status), 0);
    total += static_cast<std::uint64_t>(status.st_blocks) * 512;
  }
  return total;
}

/// One chunk in a frame of its own, as large as NARs give them; zstd halves it.
FrameRecord frame_of(std::uint64_t number) {
  const std::uint64_t random = test::random_of(number);
  const std::uint64_t chunk_bytes = 128 * 1024 + random % (768 * 1024);
  return {chunk_bytes / 2 + random / 1'000'003 % 1024,
          CodecId::zstd,
          0,
          {{test::digest_of(number), chunk_bytes}}};
}

TEST(IndexSize, AChunkCostsAtMost62Bytes) {
  constexpr std::uint64_t kPacks = 1000, kChunksPerPack = 200;
  const test::TemporaryDirectory directory;
  {
    auto index = Index::open(directory.path() / "index", Index::Access::write);
    ASSERT_TRUE(index) << describe(index.error());
    for (std::uint64_t p = 0; p < kPacks; ++p) {
      PackDirectory pack{p + 1, {}};
      for (std::uint64_t c = 0; c < kChunksPerPack; ++c) {
        pack.records.emplace_back(frame_of(p * kChunksPerPack + c));
      }
      const std::string key = pack_key(test::digest_of(~p));
      ASSERT_TRUE((*index)->add_pack(key, 64 << 20, pack));
    }
  }
  const std::uint64_t bytes = disk_bytes(directory.path() / "index");
  const double per_chunk = static_cast<double>(bytes) / (kPacks * kChunksPerPack);
  std::printf("%.1f bytes on disk per chunk, packs included\n", per_chunk);
  EXPECT_LE(per_chunk, 62.0);
}

TEST(IndexSize, AnEmptyIndexIsSmall) {
  const test::TemporaryDirectory directory;
  for (int opened = 1; opened <= 5; ++opened) {
    const auto index = Index::open(directory.path() / "index", Index::Access::write);
    ASSERT_TRUE(index) << describe(index.error());
  }
  const std::uint64_t bytes = disk_bytes(directory.path() / "index");
  std::printf("%llu bytes on disk for an empty index\n", static_cast<unsigned long long>(bytes));
  EXPECT_LE(bytes, 20U << 10);
}

}  // namespace
}  // namespace chunker::store
