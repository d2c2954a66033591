#include <gtest/gtest.h>

#include "chunker/sign.hpp"

namespace chunker {
namespace {

constexpr std::string_view kPath =
    "/nix/store/00bgd045z0d4icpbc2yyz4gx48ak44la-net-tools-1.60_p20170221182432";
const std::vector<std::string> kReferences = {
    "/nix/store/0zkkbp8psbxwb9f57vqm5wq3kr1rnbhz-glibc-2.24",
    "/nix/store/00bgd045z0d4icpbc2yyz4gx48ak44la-net-tools-1.60_p20170221182432"};

Digest digest() {
  return *Digest::from_hex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(NarFingerprint, JoinsItsFieldsAndSortsReferences) {
  EXPECT_EQ(*nar_fingerprint(kPath, digest(), 464152, kReferences),
            "1;/nix/store/00bgd045z0d4icpbc2yyz4gx48ak44la-net-tools-1.60_p20170221182432;"
            "sha256:0mdqa9w1p6cmli6976v4wi0sw9r4p5prkj7lzfd1877wk11c9c73;464152;"
            "/nix/store/00bgd045z0d4icpbc2yyz4gx48ak44la-net-tools-1.60_p20170221182432,"
            "/nix/store/0zkkbp8psbxwb9f57vqm5wq3kr1rnbhz-glibc-2.24");
}

TEST(NarFingerprint, TakesNoReferencesAndRepeatedOnes) {
  EXPECT_TRUE(nar_fingerprint(kPath, digest(), 1, {})->ends_with(";1;"));
  const std::vector<std::string> twice = {kReferences[0], kReferences[0]};
  EXPECT_EQ(*nar_fingerprint(kPath, digest(), 1, twice),
            *nar_fingerprint(kPath, digest(), 1, std::span(kReferences).first(1)));
}

TEST(NarFingerprint, TakesOtherStoreDirectories) {
  EXPECT_TRUE(
      nar_fingerprint("/gnu/store/00bgd045z0d4icpbc2yyz4gx48ak44la-a?=+._-", digest(), 1, {}));
  EXPECT_TRUE(nar_fingerprint("/00bgd045z0d4icpbc2yyz4gx48ak44la-a", digest(), 1, {}));
}

// Two different NARs must not share a fingerprint, so what could blur its fields is refused.
TEST(NarFingerprint, NFR3_2_RefusesWhatIsNoStorePath) {
  for (const std::string_view bad : {"", "/", "00bgd045z0d4icpbc2yyz4gx48ak44la-a",
                                     "/nix/store/00bgd045z0d4icpbc2yyz4gx48ak44la",
                                     "/nix/store/00bgd045z0d4icpbc2yyz4gx48ak44la-",
                                     "/nix/store/00bgd045z0d4icpbc2yyz4gx48ak44l-a",
                                     "/nix/store/00bgd045z0d4icpbc2yyz4gx48ak44la-a;b",
                                     "/nix/st;ore/00bgd045z0d4icpbc2yyz4gx48ak44la-a",
                                     "/nix/store/00bgd045z0d4icpbc2yyz4gx48ak44la-a,b",
                                     "/nix/store/00bgd045z0d4icpbc2yyz4gx48ak44la-a b",
                                     "/nix/store/00bgd045z0d4icpbc2yyz4gx48ak44la-a\n"}) {
    const auto as_path = nar_fingerprint(bad, digest(), 1, {});
    ASSERT_FALSE(as_path) << bad;
    EXPECT_EQ(as_path.error().code, ErrorCode::invalid_argument);
    const std::vector<std::string> references = {std::string(bad)};
    EXPECT_FALSE(nar_fingerprint(kPath, digest(), 1, references)) << bad;
  }
}

TEST(NarFingerprint, RefusesAnEmptyNar) {
  EXPECT_EQ(nar_fingerprint(kPath, digest(), 0, {}).error().code, ErrorCode::invalid_argument);
}

}  // namespace
}  // namespace chunker
