#include "store/second_copies.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "store/blob_memory.hpp"
#include "store/pack.hpp"
#include "support/digests.hpp"
#include "support/temporary_directory.hpp"

namespace chunker::store {
namespace {

using test::digest_of;

constexpr std::uint64_t kChunk = 1, kStays = 2, kGoes = 3;

/// `base` 0 is a frame that is no delta. Payloads tell the copies of a chunk apart.
FrameRecord frame_of(std::uint64_t chunk, std::uint64_t base, std::uint64_t payload_bytes) {
  FrameRecord frame{payload_bytes, CodecId::zstd, 0, {{digest_of(chunk), 5000}}};
  if (base != 0) {
    frame.flags = kDeltaFrame;
    frame.base = {digest_of(base)};
  }
  return frame;
}

class SecondCopies : public testing::Test {
 protected:
  void SetUp() override {
    index_ = *Index::open(directory_.path() / "index", Index::Access::write);
  }

  /// Its payloads are all zeros: nobody looks at them here. Returns its number.
  PackNumber add(FrameRecord frame) {
    const PackDirectory directory{++sequence_, {std::move(frame)}};
    std::string pack(text_of(pack_magic()));
    pack.resize(kPackMagicBytes + payload_bytes(directory.records.front()), '\0');
    pack.append(text_of(encode_pack_end(directory, pack.size())));
    const std::string key = pack_key(pack_digest(directory));
    auto writer = *blobs_.create();
    EXPECT_TRUE(writer->append(bytes_of(pack)));
    EXPECT_TRUE(writer->commit(key));
    EXPECT_TRUE(index_->add_pack(key, pack.size(), directory));
    return index_->pack(key)->value().number;
  }

  test::TemporaryDirectory directory_;
  MemoryBlobStore blobs_;
  std::unique_ptr<Index> index_;
  std::uint64_t sequence_ = 0;
};

TEST_F(SecondCopies, TheBestIsTakenWhateverTheOrder) {
  // Packs are looked into by their keys, so in another order each time.
  for (std::uint64_t round = 1; round <= 20; ++round) {
    const bool has_whole = round % 2 == 0;
    add(frame_of(kStays, 0, 10));
    add(frame_of(kChunk, kGoes, 100));
    const PackNumber good = add(frame_of(kChunk, kStays, 101));
    const PackNumber whole = has_whole ? add(frame_of(kChunk, 0, 102)) : good;
    add(frame_of(kChunk, kGoes, 103));
    const std::unordered_set<PackNumber> going{add(frame_of(kGoes, 0, 10)),
                                               add(frame_of(kChunk, 0, 104))};
    ASSERT_TRUE(use_second_copies(blobs_, *index_, going));
    EXPECT_EQ(index_->chunk(digest_of(kChunk))->value().pack, whole) << round;
    std::vector<std::string> keys;
    ASSERT_TRUE(index_->for_each_pack([&keys](const PackEntry& pack) -> Result<void> {
      keys.push_back(pack.key);
      return {};
    }));
    ASSERT_TRUE(index_->forget_lost_packs(keys));
  }
}

}  // namespace
}  // namespace chunker::store
