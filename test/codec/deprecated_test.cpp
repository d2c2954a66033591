#include <gtest/gtest.h>

#include <cstdio>

#include "codec/toy_codec.hpp"
#include "support/nars.hpp"
#include "support/temporary_directory.hpp"

namespace chunker {
namespace {

struct OldCodec : test::ToyCodec {
  static constexpr std::string_view deprecated = "use zstd instead";
};

TEST(DeprecatedCodec, R21_6_SaysWhatToUseInstead) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
  const CompressionCodec old = CompressionCodec::of(OldCodec{});
#pragma GCC diagnostic pop
  EXPECT_EQ(old.info(), (AlgorithmInfo{AlgorithmKind::codec, "toy", "use zstd instead"}));
  CompressionScratch scratch;
  ByteBuffer frame, back;
  ASSERT_TRUE(old.compress(bytes_of("aaab"), scratch, frame));
  ASSERT_TRUE(old.decompress(frame, 4, scratch, back));
  EXPECT_EQ(text_of(back), "aaab");
}

TEST(DeprecatedCodec, R21_5_ACodecOfAUsersOwnIsNamedLikeABuiltIn) {
  CodecRegistry registry;
  ASSERT_TRUE(registry.add(CompressionCodec::of(test::ToyCodec{})));
  EXPECT_EQ(registry.codecs()[0].info(), (AlgorithmInfo{AlgorithmKind::codec, "toy", {}}));
}

/// What the compiler that built us says to `source`, and whether it took it.
std::pair<bool, std::string> compile(const std::string& source, const std::string& flags) {
  const test::TemporaryDirectory directory;
  const auto path = directory.path() / "user.cpp";
  test::write_file(path, source);
  const std::string command = CHUNKER_CXX " -std=c++23 -fsyntax-only -I " CHUNKER_SOURCE_DIR
                                          "/include -I " CHUNKER_SOURCE_DIR
                                          "/src -I " CHUNKER_SOURCE_DIR "/test " +
                              flags + " " + path.string() + " 2>&1";
  FILE* const compiler = popen(command.c_str(), "r");
  std::string said;
  char buffer[4096];
  while (const std::size_t count = std::fread(buffer, 1, sizeof buffer, compiler)) {
    said.append(buffer, count);
  }
  return {pclose(compiler) == 0, said};
}

TEST(DeprecatedCodec, R21_6_TheCompilerWarnsWhoeverUsesOne) {
  const std::string codec = R"(
    #include "chunker/hash.hpp"
    #include "codec/toy_codec.hpp"
    using namespace chunker;
    struct Old : test::ToyCodec {
      static constexpr std::string_view deprecated = "use zstd instead";
    };
    struct OldHash {
      static constexpr std::string_view deprecated = "use blake3 instead";
      Digest operator()(Bytes) const;
    };
    )";
  const std::string strict = "-Werror=deprecated-declarations";
  const auto fine = compile(codec + "auto toy = CompressionCodec::of(test::ToyCodec{});", strict);
  EXPECT_TRUE(fine.first) << fine.second;
  const std::string uses = codec + R"(
    auto old = CompressionCodec::of(Old{});
    auto old_hash = HashAlgorithm::custom("old", OldHash{});
    )";
  const auto warned = compile(uses, "");
  EXPECT_TRUE(warned.first) << warned.second;
  for (const char* warning : {"this codec says so", "this hash says so"}) {
    EXPECT_NE(warned.second.find(warning), std::string::npos) << warned.second;
  }
  EXPECT_FALSE(compile(uses, strict).first);
}

}  // namespace
}  // namespace chunker
