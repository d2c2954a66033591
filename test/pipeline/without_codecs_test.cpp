#include "chunker/codec.hpp"
#include "pipeline/store_fixture.hpp"
#include "store/pack_writer.hpp"
#include "store/parts.hpp"

// A build without optional codecs. Configuring and building one takes minutes; it differs from this one in the files
// X_absent.cpp, which this program links in place of X.cpp. If anything but the registry needed X.cpp, it would be
// linked too, and its symbols be there twice: an error.
namespace chunker {
namespace {

class WithoutCodecs : public test::StoreFixture {
 protected:
  static constexpr CodecId kOptional[] = {CodecId::lz4, CodecId::xz, CodecId::bzip2};

  /// Puts a frame into the store that a build with all codecs could have written.
  static Digest put_frame_of(Store& store, CodecId codec) {
    const std::string payload = test::random_bytes(static_cast<std::uint64_t>(codec), 1000);
    const Digest digest = HashAlgorithm::blake3().hash(bytes_of(payload));
    auto pack = store::PackWriter::begin(store.parts());
    EXPECT_OK(pack);
    EXPECT_OK(pack->add_frame({payload.size(), codec, 0, {{digest, 4000}}}, bytes_of(payload)));
    EXPECT_OK(pack->commit(*store.parts().index->highest_sequence() + 1));
    return digest;
  }
};

TEST_F(WithoutCodecs, R22_5_TheRegistryLacksThemAndSaysSo) {
  const auto registry = CodecRegistry::builtin();
  for (const CodecId id : kOptional) {
    EXPECT_EQ(registry->by_id(id).error().code, ErrorCode::codec_unavailable);
    EXPECT_EQ(builtin_codec(id, 1).error().code, ErrorCode::codec_unavailable);
  }
  for (const CodecId id : {CodecId::none, CodecId::zstd, CodecId::zstd_x86}) {
    EXPECT_OK(registry->by_id(id));
  }
}

TEST_F(WithoutCodecs, R22_5_EverythingElseWorks) {
  const std::map<std::string, std::string> nars{
      {"a.nar", test::make_nar({{"f", test::random_text(1, 200'000)}})},
      {"b.nar", test::make_nar({{"f", test::random_bytes(2, 100'000)}})}};
  auto store = open();
  ASSERT_OK(store);
  auto options = test::small_chunks();
  for (const auto strategy : kCompressionStrategies) {
    options.strategy = strategy;
    const auto done = take_in(*store, nars, options);
    if (strategy == CompressionStrategy::fastest) {
      EXPECT_EQ(done.error().code, ErrorCode::codec_unavailable);
      continue;
    }
    ASSERT_OK(done);
    for (const auto& [name, nar] : nars) EXPECT_TRUE(give_back(*store, name).value_or("") == nar);
    expect_clean(*store);
  }
}

TEST_F(WithoutCodecs, R22_5_StoredFramesOfThemAreReportedAndKept) {
  auto store = open();
  ASSERT_OK(store);
  for (const CodecId id : kOptional) {
    ByteBuffer bytes;
    EXPECT_EQ(store->read_chunk(put_frame_of(*store, id), bytes).error().code,
              ErrorCode::codec_unavailable);
  }
  std::size_t unavailable = 0;
  const auto report = verify(*store, {.content = true}, [&](const Error& error) {
    EXPECT_EQ(error.code, ErrorCode::codec_unavailable);
    ++unavailable;
  });
  ASSERT_OK(report);
  EXPECT_EQ(unavailable, std::size(kOptional));
  // What this process cannot read may be good.
  EXPECT_EQ(verify(*store, {.content = true, .repair = true}, {}).error().code,
            ErrorCode::codec_unavailable);
  EXPECT_FALSE(std::filesystem::exists(directory_.path() / "store" / "damaged"));
}

}  // namespace
}  // namespace chunker
