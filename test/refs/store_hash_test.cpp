#include "chunker/references.hpp"

#include <gtest/gtest.h>

#include "base/hex.hpp"
#include "refs/samples.hpp"

namespace chunker::refs {
namespace {

std::string text_of_hash(const StoreHash& hash) {
  const auto characters = hash.characters();
  return std::string(text_of(characters));
}

bool is_hash(std::string_view text) {
  return StoreHash::parse(bytes_of(text).first<kStoreHashCharacters>()).has_value();
}

// The last digit of the text is the low bits of the first byte, as `nix-hash --to-base32` has it.
TEST(StoreHash, HasTheBytesThatNixSpellsSo) {
  const auto hex = [](std::string_view text) { return base::to_hex(samples::hash_of(text).bytes); };
  EXPECT_EQ(hex("00000000000000000000000000000001"), "0100000000000000000000000000000000000000");
  EXPECT_EQ(hex("00000000000000000000000000000010"), "2000000000000000000000000000000000000000");
  EXPECT_EQ(hex("z0000000000000000000000000000000"), "00000000000000000000000000000000000000f8");
  EXPECT_EQ(hex("zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz"), "ffffffffffffffffffffffffffffffffffffffff");
  // SHA-1 of "abc"; `nix-hash --type sha1 --to-base32` gives the same.
  EXPECT_EQ(hex("kpcd173cq987hw957sx6m0868wv3x6d9"), "a9993e364706816aba3e25717850c26c9cd0d89d");
}

TEST(StoreHash, GivesEveryCharacterBackAtEveryPlace) {
  for (std::size_t place = 0; place < kStoreHashCharacters; ++place) {
    for (const char character : samples::kAlphabet) {
      std::string text = samples::characters(place);
      text[place] = character;
      EXPECT_EQ(text_of_hash(samples::hash_of(text)), text);
    }
  }
}

TEST(StoreHash, IsOnlyCharactersOfTheAlphabet) {
  for (int value = 0; value < 256; ++value) {
    const char character = static_cast<char>(value);
    for (std::size_t place = 0; place < kStoreHashCharacters; ++place) {
      std::string text = samples::characters(1);
      text[place] = character;
      EXPECT_EQ(is_hash(text), samples::kAlphabet.find(character) != samples::kAlphabet.npos)
          << value << " at " << place;
    }
  }
}

}  // namespace
}  // namespace chunker::refs
