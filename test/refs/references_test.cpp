#include "refs/references.hpp"

#include <gtest/gtest.h>

#include "refs/samples.hpp"

namespace chunker::refs {
namespace {

using samples::characters;
using samples::normalize;
using samples::normalize_in_steps;
using samples::normalize_slowly;
using samples::Normalized;
using samples::restored;

const std::string kFiller(kStoreHashCharacters, 'e');
const std::string kStore(kNixStorePrefix);

std::vector<std::uint64_t> offsets(const Normalized& normalized) {
  std::vector<std::uint64_t> all;
  for (const auto& position : normalized.references.positions) all.push_back(position.offset_bytes);
  return all;
}

void expect_left_alone(const std::string& text) {
  EXPECT_EQ(normalize(text), (Normalized{text, {}})) << text;
}

TEST(References, AreTakenOutAndListedByFirstOccurrence) {
  const std::string a = characters(1), b = characters(2);
  const std::string text = "run " + kStore + b + "-sh/bin/sh " + kStore + a + " " + kStore + b;
  const Normalized normalized = normalize(text);
  EXPECT_EQ(normalized.text,
            "run " + kStore + kFiller + "-sh/bin/sh " + kStore + kFiller + " " + kStore + kFiller);
  EXPECT_EQ(normalized.references.hashes, (std::vector{samples::hash_of(b), samples::hash_of(a)}));
  EXPECT_EQ(normalized.references.positions,
            (std::vector<References::Position>{{15, 0}, {69, 1}, {113, 0}}));
  EXPECT_EQ(restored(normalized), text);
}

TEST(References, NeedThirtyTwoCharactersOfTheAlphabet) {
  expect_left_alone(kStore + characters(1, 31));
  expect_left_alone(kStore + characters(1, 31) + "-name");
  expect_left_alone(kStore + characters(1, 31) + "e");
  expect_left_alone(kStore + "-" + characters(1));
  expect_left_alone(kStore + kFiller);
  expect_left_alone("/nix/Store/" + characters(1));
  expect_left_alone("/gnu/store/" + characters(1));
  expect_left_alone("nix/store/" + characters(1));
}

TEST(References, TakeTheFirstThirtyTwoOfMoreCharacters) {
  EXPECT_EQ(normalize(kStore + characters(1, 33)).text,
            kStore + kFiller + characters(1, 33).substr(32));
}

TEST(References, MayBeginAndEndTheStream) {
  EXPECT_EQ(normalize(kStore + characters(1)).text, kStore + kFiller);
  EXPECT_EQ(normalize(kStore + characters(1) + kStore + characters(2)).text,
            kStore + kFiller + kStore + kFiller);
  expect_left_alone("");
  for (std::size_t size = 1; size <= kStore.size(); ++size) {
    expect_left_alone(characters(1) + kStore.substr(0, size));
  }
}

TEST(References, AreFoundBehindWhatOnlyBeginsLikeOne) {
  const std::string hash = characters(1);
  EXPECT_EQ(offsets(normalize("/nix/store/nix/store/" + hash)), std::vector<std::uint64_t>{21});
  EXPECT_EQ(offsets(normalize("/nix/store//nix/store/" + hash)), std::vector<std::uint64_t>{22});
  EXPECT_EQ(offsets(normalize("/nix/sto/nix/store/" + hash)), std::vector<std::uint64_t>{19});
  EXPECT_EQ(offsets(normalize("/nix/store/" + characters(2, 20) + "/nix/store/" + hash)),
            std::vector<std::uint64_t>{42});
  EXPECT_EQ(offsets(normalize("/a/a/a/" + hash, "/a/a/")), std::vector<std::uint64_t>{7});
}

TEST(References, DoNotDependOnWhereTheStreamIsSplit) {
  const std::string text = "/nix/store/nix/store/" + characters(1) + "-a" + kStore +
                           characters(2, 31) + kStore + characters(1) + kStore + characters(3);
  const Normalized slow = normalize_slowly(text);
  ASSERT_EQ(slow.references.positions.size(), 3U);
  for (std::size_t split = 0; split <= text.size(); ++split) {
    for (std::size_t second = 0; split + second <= text.size(); ++second) {
      const std::size_t steps[] = {split, second, text.size()};
      EXPECT_EQ(normalize_in_steps(text, [&, i = 0]() mutable { return steps[i++ % 3]; }), slow)
          << split << " then " << second;
    }
  }
  for (std::size_t step = 1; step <= text.size(); ++step) {
    EXPECT_EQ(normalize_in_steps(text, [step] { return step; }), slow) << step;
  }
}

// What was replaced is final: offered again, it could be taken for this prefix.
TEST(References, AreNotFoundInWhatWasReplaced) {
  const std::string prefix = "/" + kFiller + "/";
  const std::string text = prefix + characters(1) + "/" + characters(2);
  for (std::size_t step = 1; step <= text.size(); ++step) {
    EXPECT_EQ(offsets(normalize_in_steps(
                  text, [step] { return step; }, prefix)),
              std::vector<std::uint64_t>{prefix.size()});
  }
}

TEST(References, AgreeWithTheDefinitionOnEveryKernel) {
  for (const std::string_view prefix :
       {"/nix/store/", "/gnu/store/", "/", "//", "/a/", "/home/me/.local/share/nix/root/nix/store/",
        "/a/00000000000000000000000000000000/", "/eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee/"}) {
    std::mt19937 random(7);
    for (int round = 0; round < 300; ++round) {
      const std::string text = samples::random_text(random, 1 + random() % 40, prefix);
      const Normalized slow = normalize_slowly(text, prefix);
      for (const base::CpuFeatures& cpu : {base::CpuFeatures{}, base::detect_cpu_features()}) {
        const auto step = [&] { return random() % 4 == 0 ? random() % 200 : random() % 8; };
        EXPECT_EQ(normalize_in_steps(text, step, prefix, cpu), slow) << prefix << " in " << text;
      }
      EXPECT_EQ(restored(slow), text);
    }
  }
}

TEST(References, KeepNaturalRunsOfTheFiller) {
  const std::string text = kFiller + kStore + kFiller + kStore + characters(1) + kFiller;
  const Normalized normalized = normalize(text);
  EXPECT_EQ(normalized.references.positions.size(), 1U);
  EXPECT_EQ(restored(normalized), text);
}

TEST(References, ComeBackInAnyRange) {
  std::mt19937 random(3);
  const std::string text = samples::random_text(random, 60);
  const Normalized normalized = normalize(text);
  ASSERT_GT(normalized.references.positions.size(), 10U);
  for (std::size_t begin = 0; begin <= text.size(); ++begin) {
    for (std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{31}, std::size_t{33},
                             std::size_t{random() % 500}, text.size()}) {
      std::string range = normalized.text.substr(begin, size);
      restore_references(normalized.references, begin, samples::bytes_of(range));
      ASSERT_EQ(range, text.substr(begin, size)) << begin << " and " << size;
    }
  }
}

TEST(References, StayInTheDataBeyondTheirBounds) {
  std::string text;
  for (std::size_t i = 0; i <= kReferenceHashCountMax; ++i) {
    text += kStore + characters(i);
  }
  text += kStore + characters(0);
  const Normalized normalized = normalize(text);
  EXPECT_EQ(normalized.references.hashes.size(), kReferenceHashCountMax);
  EXPECT_EQ(normalized.references.positions.size(), kReferenceHashCountMax + 1)
      << "one hash too many stays, a known one behind it does not";
  EXPECT_EQ(restored(normalized), text);
}

TEST(References, NeedAPrefixThatIsADirectory) {
  const std::string longest = "/" + std::string(kStorePrefixBytesMax - 2, 'a') + "/";
  EXPECT_EQ(normalize(longest + characters(1), longest).text, longest + kFiller);
  EXPECT_EQ(normalize("/" + characters(1), "/").text, "/" + kFiller);
  const std::string with_nul("/a\0b/", 5);
  for (const std::string& prefix : {std::string(), std::string("/nix/store"),
                                    std::string("nix/store/"), "/a" + longest, with_nul}) {
    const auto normalizer = ReferenceNormalizer::make(prefix);
    ASSERT_FALSE(normalizer) << prefix;
    EXPECT_EQ(normalizer.error().code, ErrorCode::invalid_argument);
  }
}

}  // namespace
}  // namespace chunker::refs
