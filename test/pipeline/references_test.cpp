#include <gmock/gmock.h>

#include "pipeline/store_fixture.hpp"

namespace chunker {
namespace {

using test::random_bytes;

constexpr std::string_view kAlphabet = "0123456789abcdfghijklmnpqrsvwxyz";

/// `count` references with `gap_bytes` of noise between them; another `rebuild` has other hashes and nothing
/// else.
std::string file_with_references(std::size_t count, std::size_t gap_bytes, unsigned rebuild,
                                 std::string_view prefix = "/nix/store/") {
  std::string file;
  for (std::size_t i = 0; i < count; ++i) {
    file += random_bytes(static_cast<unsigned>(i), gap_bytes);
    std::string hash = test::random_bytes(static_cast<unsigned>(i % 7) * 100 + rebuild, 32);
    for (char& character : hash) {
      character = kAlphabet[static_cast<unsigned char>(character) % kAlphabet.size()];
    }
    file.append(prefix).append(hash).append("-name/bin");
  }
  return file;
}

class IngestReferences : public test::StoreFixture {};

TEST_F(IngestReferences, ARebuildThatDiffersInHashesOnlyStoresNoChunk) {
  auto store = open();
  ASSERT_OK(store);
  const auto before = test::make_nar({{"f", file_with_references(300, 5000, 1)}});
  const auto after = test::make_nar({{"f", file_with_references(300, 5000, 2)}});
  ASSERT_NE(before, after);
  ASSERT_OK(take_in(*store, {{"before.nar", before}}));
  ASSERT_OK(reported_.at("before.nar"));
  EXPECT_EQ(reported_.at("before.nar")->references, 300U);
  ASSERT_OK(take_in(*store, {{"after.nar", after}}));
  ASSERT_OK(reported_.at("after.nar"));
  EXPECT_EQ(reported_.at("after.nar")->new_chunks, 0U);
  EXPECT_EQ(reported_.at("after.nar")->new_stored_bytes, 0U)
      << "lists of positions are shared, too";
  EXPECT_EQ(give_back(*store, "before.nar").value_or(""), before);
  EXPECT_EQ(give_back(*store, "after.nar").value_or(""), after);
  expect_clean(*store);
}

// 4 MiB slabs: references come across their ends at every offset from the first byte to the last.
TEST_F(IngestReferences, AcrossReadsTheyAreFoundAndPutBack) {
  auto store = open();
  ASSERT_OK(store);
  const std::string one = file_with_references(1, 0, 3);
  const std::string probe = test::make_nar({{"f", std::string(8 << 20, 'x')}});
  const std::size_t contents = probe.find(std::string(64, 'x'));
  std::map<std::string, std::string> nars;
  for (const std::size_t before : {0UL, 1UL, 10UL, 11UL, 12UL, 42UL, 43UL, 44UL}) {
    std::string file(8 << 20, 'x');
    file.replace((4 << 20) - contents - before, one.size(), one);
    nars["at-" + std::to_string(before) + ".nar"] = test::make_nar({{"f", file}});
  }
  ASSERT_OK(take_in(*store, nars, {}));
  for (const auto& [name, nar] : nars) {
    ASSERT_OK(reported_.at(name));
    EXPECT_EQ(reported_.at(name)->references, 1U) << name;
    EXPECT_TRUE(give_back(*store, name).value_or("") == nar) << name;
  }
}

// The same chunk twice in one frame, with other references each time.
TEST_F(IngestReferences, ChunksThatComeTwiceGetEachTheirOwn) {
  auto store = open();
  ASSERT_OK(store);
  const std::string first = file_with_references(20, 900, 1),
                    second = file_with_references(20, 900, 2);
  const auto nar = test::make_nar({{"a", first}, {"b", second}, {"c", first}, {"d", second}});
  ASSERT_OK(take_in(*store, {{"twice.nar", nar}}));
  EXPECT_EQ(reported_.at("twice.nar")->references, 80U);
  EXPECT_LT(reported_.at("twice.nar")->new_raw_bytes, nar.size() / 2);
  EXPECT_EQ(give_back(*store, "twice.nar").value_or(""), nar);
}

TEST_F(IngestReferences, OtherPrefixesOrNoneByOption) {
  auto store = open();
  ASSERT_OK(store);
  const auto nar = test::make_nar({{"f", file_with_references(9, 500, 1, "/gnu/store/")}});
  ASSERT_OK(take_in(*store, {{"nix.nar", nar}}));
  EXPECT_EQ(reported_.at("nix.nar")->references, 0U);
  auto options = test::small_chunks();
  options.store_prefix = "/gnu/store/";
  ASSERT_OK(take_in(*store, {{"guix.nar", nar}}, options));
  EXPECT_EQ(reported_.at("guix.nar")->references, 9U);
  EXPECT_EQ(give_back(*store, "guix.nar").value_or(""), nar);
  options.store_prefix.clear();
  const auto other = test::make_nar({{"f", file_with_references(9, 500, 1)}});
  ASSERT_OK(take_in(*store, {{"off.nar", other}}, options));
  EXPECT_EQ(reported_.at("off.nar")->references, 0U);
  EXPECT_EQ(give_back(*store, "off.nar").value_or(""), other);
  options.store_prefix = "no-slash";
  const auto refused = take_in(*store, {{"bad.nar", other}}, options);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::invalid_argument);
}

TEST_F(IngestReferences, ARangeGetsJustItsReferences) {
  auto store = open();
  ASSERT_OK(store);
  const auto nar = test::make_nar({{"f", file_with_references(40, 700, 5)}});
  ASSERT_OK(take_in(*store, {{"a.nar", nar}}));
  const auto digest = store->find("a.nar")->nar_sha256;
  const auto range = [&](std::uint64_t offset, std::uint64_t size) {
    std::string bytes;
    const auto restored =
        restore_range(*store, digest, {offset, size}, [&](Bytes piece) -> Result<void> {
          bytes.append(text_of(piece));
          return {};
        });
    return restored ? bytes : describe(restored.error());
  };
  for (std::uint64_t offset = 0; offset < nar.size(); offset += 131) {
    for (const std::uint64_t size : {1UL, 17UL, 3000UL}) {
      const std::string expected = nar.substr(offset, size);
      ASSERT_EQ(range(offset, expected.size()), expected) << offset << "+" << size;
    }
  }
  EXPECT_EQ(range(0, nar.size()), nar);
  EXPECT_EQ(range(nar.size(), 0), "");
  EXPECT_THAT(range(nar.size(), 1), testing::HasSubstr("outside the NAR"));
  EXPECT_THAT(range(1, ~std::uint64_t{0}), testing::HasSubstr("outside the NAR"));
}

TEST_F(IngestReferences, GcAndANewIndexKeepTheListsOfThoseThatStay) {
  const auto gone = test::make_nar({{"f", file_with_references(2000, 100, 1)}, {"g", "gone"}});
  const auto kept = test::make_nar({{"f", file_with_references(2000, 100, 2)}, {"g", "kept"}});
  {
    auto store = open();
    ASSERT_OK(store);
    ASSERT_OK(take_in(*store, {{"gone.nar", gone}}));
    ASSERT_OK(take_in(*store, {{"kept.nar", kept}}));
    const std::vector<std::string> names{"gone.nar"};
    ASSERT_OK(store->remove(names));
    ASSERT_OK(collect_garbage(*store, {}));
    EXPECT_EQ(give_back(*store, "kept.nar").value_or(""), kept);
    expect_clean(*store);
  }
  ASSERT_OK(rebuild_index(directory_.path() / "store", {}));
  auto store = open();
  ASSERT_OK(store);
  EXPECT_EQ(give_back(*store, "kept.nar").value_or(""), kept);
}

}  // namespace
}  // namespace chunker
