#include "refs/reference_format.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <regex>

#include "base/hex.hpp"
#include "base/wire.hpp"
#include "refs/samples.hpp"

namespace chunker::refs {
namespace {

using Position = References::Position;

constexpr std::uint64_t kNarBytes = 1000;

std::string hash_list(const std::vector<StoreHash>& hashes) {
  std::string list;
  for (const StoreHash& hash : hashes) list.append(text_of(hash.bytes));
  return list;
}

std::string position_list(const std::vector<std::uint64_t>& numbers) {
  ByteBuffer list;
  for (const std::uint64_t number : numbers) base::append_varint(list, number);
  return std::string(text_of(list));
}

std::vector<StoreHash> three_hashes() {
  return {samples::hash_of(samples::characters(1)), samples::hash_of(samples::characters(2)),
          samples::hash_of(samples::characters(3))};
}

void expect_refused(const References& references, std::uint64_t nar_bytes = kNarBytes) {
  const auto encoded = encode_references(references, nar_bytes);
  ASSERT_FALSE(encoded);
  EXPECT_EQ(encoded.error().code, ErrorCode::invalid_argument);
}

void expect_corrupt(std::string_view hashes, std::string_view positions, std::string_view list,
                    std::uint64_t offset_bytes, std::uint64_t nar_bytes = kNarBytes) {
  const auto decoded = decode_references(bytes_of(hashes), bytes_of(positions), nar_bytes);
  ASSERT_FALSE(decoded);
  EXPECT_EQ(decoded.error().code, ErrorCode::store_corrupt);
  EXPECT_EQ(decoded.error().context, list) << decoded.error().what;
  EXPECT_EQ(decoded.error().offset_bytes, offset_bytes) << decoded.error().what;
}

void expect_corrupt_positions(const std::vector<std::uint64_t>& numbers,
                              std::uint64_t offset_bytes) {
  expect_corrupt(hash_list(three_hashes()), position_list(numbers), "position list", offset_bytes);
}

TEST(ReferenceFormat, IsWhatTheSpecificationShows) {
  std::ifstream file(CHUNKER_SOURCE_DIR "/doc/format/references.md");
  const std::string document{std::istreambuf_iterator<char>(file), {}};
  const std::regex dump_line("\n[0-9a-f]{6}  ((?:[0-9a-f]{2} ?)*)");
  std::string hex;
  for (std::sregex_iterator line(document.begin(), document.end(), dump_line), end; line != end;
       ++line) {
    hex += std::regex_replace((*line)[1].str(), std::regex(" "), "");
  }
  const std::string script =
      "#!/nix/store/kpcd173cq987hw957sx6m0868wv3x6d9-bash/bin/sh\n"
      "exec /nix/store/y5q4drg5558zk8aamsx6xliv3i23x644-sed/bin/sed"
      " -f /nix/store/kpcd173cq987hw957sx6m0868wv3x6d9-bash/f\n";
  EXPECT_NE(document.find(script), document.npos);
  const auto encoded = encode_references(samples::normalize(script).references, script.size());
  ASSERT_TRUE(encoded);
  EXPECT_EQ(base::to_hex(encoded->hash_list) + base::to_hex(encoded->position_list), hex);
}

TEST(ReferenceFormat, GivesBackWhatANormalizerFound) {
  std::mt19937 random(5);
  for (int round = 0; round < 200; ++round) {
    const std::string text = samples::random_text(random, random() % 100);
    const References references = samples::normalize(text).references;
    const auto encoded = encode_references(references, text.size());
    ASSERT_TRUE(encoded) << describe(encoded.error());
    EXPECT_EQ(decode_references(encoded->hash_list, encoded->position_list, text.size()),
              references);
  }
}

TEST(ReferenceFormat, KeepsThePositionsOfARebuildAlike) {
  const auto encoded = [](unsigned rebuild) {
    std::string text;
    for (unsigned i = 0; i < 9; ++i) {
      text += std::string(i * 50, 'x') + std::string(kNixStorePrefix) +
              samples::characters(10 * rebuild + i % 4);
    }
    return encode_references(samples::normalize(text).references, text.size()).value();
  };
  const EncodedReferences before = encoded(0), after = encoded(1);
  EXPECT_EQ(text_of(before.position_list), text_of(after.position_list));
  EXPECT_NE(text_of(before.hash_list), text_of(after.hash_list));
}

TEST(ReferenceFormat, HoldsTheLargestOffset) {
  constexpr std::uint64_t kLast = std::numeric_limits<std::uint64_t>::max();
  const References references{{three_hashes()[0]}, {{kLast - 32, 0}}};
  const auto encoded = encode_references(references, kLast);
  ASSERT_TRUE(encoded);
  EXPECT_EQ(decode_references(encoded->hash_list, encoded->position_list, kLast), references);
}

TEST(ReferenceFormat, RefusesToWriteWhatNoNormalizerFinds) {
  const auto hashes = three_hashes();
  expect_refused({{hashes[0]}, {{0, 0}, {31, 0}}});
  expect_refused({{hashes[0]}, {{100, 0}, {0, 0}}});
  expect_refused({{hashes[0]}, {{kNarBytes - 31, 0}}});
  expect_refused({{hashes[0]}, {{0, 0}}}, 31);
  expect_refused({{hashes[0]}, {{0, 1}}});
  expect_refused({{hashes[0], hashes[1]}, {{0, 1}, {40, 0}}});
  expect_refused({{hashes[0], hashes[1]}, {{0, 0}}});
  expect_refused({{hashes[0], hashes[0]}, {{0, 0}, {40, 1}}});
  expect_refused({{}, {{0, 0}}});
}

TEST(ReferenceFormat, RefusesHashesThatAreCutOffOrRepeated) {
  const std::string list = hash_list(three_hashes());
  const std::string positions = position_list({10, 0, 10, 1, 10, 2});
  ASSERT_TRUE(decode_references(bytes_of(list), bytes_of(positions), kNarBytes));
  for (std::size_t size = 0; size < list.size(); ++size) {
    if (size % StoreHash::kBytes == 0) continue;
    expect_corrupt(list.substr(0, size), positions, "hash list", size - size % StoreHash::kBytes);
  }
  expect_corrupt(list + list.substr(20, 20), positions, "hash list", 60);
  std::string too_many;
  for (std::uint32_t i = 0; i <= kReferenceHashCountMax; ++i) {
    StoreHash hash;
    base::store_le(i, hash.bytes.data());
    too_many += text_of(hash.bytes);
  }
  expect_corrupt(too_many, positions, "hash list", 20 * kReferenceHashCountMax);
}

TEST(ReferenceFormat, RefusesPositionsThatAreCutOff) {
  const std::string hashes = hash_list(three_hashes());
  const std::string list = position_list({300, 0, 10, 1, 10, 2});
  ASSERT_TRUE(decode_references(bytes_of(hashes), bytes_of(list), kNarBytes));
  for (const auto& [size, begin] : {std::pair{1U, 0U}, {2U, 0U}, {4U, 3U}, {6U, 5U}}) {
    expect_corrupt(hashes, list.substr(0, size), "position list", begin);
  }
  expect_corrupt(hashes, list.substr(0, 5), "position list", 5);
  expect_corrupt(hashes, std::string("\x80\x00\x00", 3), "position list", 0);
}

TEST(ReferenceFormat, RefusesPositionsOutsideTheNar) {
  const auto max = std::numeric_limits<std::uint64_t>::max();
  expect_corrupt_positions({kNarBytes - 31, 0}, 0);
  expect_corrupt_positions({max, 0}, 0);
  expect_corrupt_positions({max - 31, 0}, 0);
  expect_corrupt_positions({10, 0, max - 41, 1}, 2);
  expect_corrupt_positions({10, 0, 10, 1, kNarBytes - 84 - 31, 2}, 4);
  expect_corrupt(hash_list({three_hashes()[0]}), position_list({0, 0}), "position list", 0, 31);
}

TEST(ReferenceFormat, RefusesHashesNamedOutOfOrderOrNotAtAll) {
  const auto max = std::numeric_limits<std::uint64_t>::max();
  expect_corrupt_positions({10, 1}, 0);
  expect_corrupt_positions({10, 0, 10, 2}, 2);
  expect_corrupt_positions({10, 0, 10, 1, 10, 2, 10, 3}, 6);
  expect_corrupt_positions({10, max}, 0);
  expect_corrupt_positions({10, 0, 10, 1}, 4);
  expect_corrupt("", position_list({10, 0}), "position list", 0);
}

TEST(ReferenceFormat, RefusesMorePositionsThanANarMayHave) {
  const std::string two_numbers = position_list({0, 0});
  std::string list;
  for (std::size_t i = 0; i <= kReferenceCountMax; ++i) list += two_numbers;
  const std::uint64_t nar_bytes = 32 * (kReferenceCountMax + 1);
  const std::string hash = hash_list({three_hashes()[0]});
  expect_corrupt(hash, list, "position list", 2 * kReferenceCountMax, nar_bytes);
  list.resize(list.size() - 2);
  const auto decoded = decode_references(bytes_of(hash), bytes_of(list), nar_bytes);
  ASSERT_TRUE(decoded);
  EXPECT_TRUE(encode_references(*decoded, nar_bytes));
  References one_more = *decoded;
  one_more.positions.push_back({32 * kReferenceCountMax, 0});
  expect_refused(one_more, nar_bytes);
}

}  // namespace
}  // namespace chunker::refs
