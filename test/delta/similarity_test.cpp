#include "delta/similarity.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "delta/window_sample.hpp"
#include "delta/window_scan.hpp"

namespace chunker::delta {
namespace {

using Json = nlohmann::json;
using Chunk = std::vector<std::byte>;

Json vectors() {
  std::ifstream file(CHUNKER_SOURCE_DIR "/vectors/similarity.json");
  return Json::parse(file);
}

std::uint64_t number(const Json& hex) { return std::stoull(hex.get<std::string>(), nullptr, 16); }

std::optional<Features> features_in(const Json& row) {
  if (row.at("features").is_null()) return std::nullopt;
  Features features{};
  for (std::size_t i = 0; i < kFeatureCount; ++i) {
    features.values[i] = number(row.at("features").at(i));
  }
  return features;
}

std::set<std::uint64_t> sample_in(const Json& row) {
  std::set<std::uint64_t> sample;
  for (const Json& hash : row.at("sample")) sample.insert(number(hash));
  return sample;
}

std::set<std::uint64_t> as_set(const WindowSample& sample) {
  return {sample.begin(), sample.end()};
}

Chunk xorshift(std::size_t size, std::uint64_t state) {
  Chunk bytes;
  while (bytes.size() < size) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    for (int shift = 0; shift < 64; shift += 8) {
      bytes.push_back(static_cast<std::byte>(state >> shift));
    }
  }
  bytes.resize(size);
  return bytes;
}

Chunk make_input(const std::string& kind, std::size_t size) {
  if (kind == "xorshift") return xorshift(size, 0x9e3779b97f4a7c15);
  if (kind == "nibbles") {
    Chunk bytes = xorshift(size, 0x2545f4914f6cdd1d);
    for (std::byte& byte : bytes) byte &= std::byte{15};
    return bytes;
  }
  Chunk bytes(size);
  if (kind == "cycle251") {
    for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(i % 251);
  }
  return bytes;
}

TEST(Similarity, AgreesWithTheReference) {
  const Json rows = vectors().at("chunks");
  ASSERT_GE(rows.size(), 24U);
  for (const Json& row : rows) {
    const WindowSample sample = sample_windows(make_input(row.at("kind"), row.at("size")));
    EXPECT_EQ(as_set(sample), sample_in(row)) << row;
    EXPECT_EQ(features_of(sample), features_in(row)) << row;
  }
}

TEST(Similarity, NoWindowIsMissedWhereverItStands) {
  const Json row = vectors().at("lone_window");
  const std::string hex = row.at("window");
  Chunk window;
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    window.push_back(static_cast<std::byte>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  }
  for (std::size_t size = 1000; size < 1008; ++size) {
    for (std::size_t at = 0; at + window.size() <= size; ++at) {
      Chunk chunk(size);
      std::ranges::copy(window, chunk.begin() + static_cast<std::ptrdiff_t>(at));
      ASSERT_EQ(as_set(sample_windows(chunk)), sample_in(row)) << at << " of " << size;
    }
  }
}

// Of what both have, half is in common where two thirds of each are: then each feature agrees every second time.
TEST(Similarity, FeaturesAgreeAsOftenAsContentsOverlap) {
  constexpr std::size_t kPairs = 100, kThird = 12 << 10;
  std::size_t agreeing = 0;
  for (std::uint64_t pair = 1; pair <= kPairs; ++pair) {
    const Chunk all = xorshift(4 * kThird, pair);
    const auto a = features_of(sample_windows(Bytes(all).first(3 * kThird)));
    const auto b = features_of(sample_windows(Bytes(all).last(3 * kThird)));
    ASSERT_TRUE(a && b);
    for (std::size_t i = 0; i < kFeatureCount; ++i)
      agreeing += a->values[i] == b->values[i] ? 1U : 0U;
  }
  EXPECT_GT(agreeing, kPairs * kFeatureCount * 40 / 100);
  EXPECT_LT(agreeing, kPairs * kFeatureCount * 60 / 100);
}

TEST(Similarity, UnrelatedChunksAgreeInNothing) {
  std::set<std::uint64_t> values;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    const auto features = features_of(sample_windows(xorshift(64 << 10, seed)));
    ASSERT_TRUE(features);
    values.insert(features->values.begin(), features->values.end());
  }
  EXPECT_EQ(values.size(), 100 * kFeatureCount);
}

TEST(WindowSample, RepetitionsDoNotFillIt) {
  EXPECT_EQ(sample_windows(Chunk(64 << 10)).size(), 0U) << "zeros are frequent, and like nothing";
  // Of words of 8 bytes again and again every eighth window may be sampled.
  for (std::uint64_t seed = 1; seed <= 500; ++seed) {
    const Chunk word = xorshift(8, seed);
    Chunk chunk;
    while (chunk.size() < 8 << 10) chunk.insert(chunk.end(), word.begin(), word.end());
    EXPECT_LE(sample_windows(chunk).size(), chunk.size() / 16);
  }
}

TEST(WindowSample, HashesThatAreMadeToCollideCostLittle) {
  WindowSample colliding;
  for (std::uint64_t i = 1; i <= 100'000; ++i) colliding.push_back(i << 40 | 5);
  SharedWindows windows(colliding);
  EXPECT_LE(windows.size(), 64U) << "what finds no place soon is left out";
  EXPECT_LE(windows.take(colliding, 1), 64U);
}

// Those of this processor, the slow truth first.
std::vector<WindowScan> window_scans() {
  const base::CpuFeatures cpu = base::detect_cpu_features();
  std::vector<WindowScan> scans = {choose_window_scan({})};
  for (const WindowScan scan : {choose_window_scan({.avx2 = cpu.avx2}), choose_window_scan(cpu)}) {
    if (scan != scans.back()) scans.push_back(scan);
  }
  return scans;
}

TEST(WindowSample, AllScansFindTheSame) {
  const std::vector<WindowScan> scans = window_scans();
  EXPECT_EQ(scans.front(), scan_windows_portable);
  const Chunk all = xorshift(20'000, 11);
  const auto* const windows = reinterpret_cast<const std::uint8_t*>(all.data());
  const auto expect_agreement = [&](std::size_t begin, std::size_t count) {
    WindowSample slow;
    scan_windows_portable(windows + begin, count, 1000, slow);
    for (const WindowScan scan : scans) {
      WindowSample found;
      scan(windows + begin, count, 1000, found);
      ASSERT_EQ(as_set(found), as_set(slow)) << count << " windows from " << begin;
      ASSERT_EQ(found.size(), slow.size());
    }
  };
  for (std::size_t begin = 0; begin < 800; begin += 20) {
    for (std::size_t count = 0; count < 200; ++count) expect_agreement(begin, count);
  }
  for (const std::size_t count : {4095U, 4096U, 4097U, 4159U, 4160U, 8192U, 8300U, 19'900U}) {
    expect_agreement(7, count);
  }
  for (const WindowScan scan : scans) {
    WindowSample few;
    scan(windows, 4900, 3, few);
    EXPECT_EQ(few.size(), 3U);
  }
}

TEST(WindowSample, SharedWindowsTellHowMuchIsShared) {
  const Chunk all = xorshift(256 << 10, 5);
  const WindowSample content = sample_windows(Bytes(all).first(128 << 10));
  SharedWindows windows(content);
  EXPECT_EQ(windows.size(), as_set(content).size());
  EXPECT_EQ(windows.take(sample_windows(Bytes(all).last(128 << 10)), 1), 0U);
  const std::size_t quarter = windows.take(sample_windows(Bytes(all).first(32 << 10)), 1);
  EXPECT_NEAR(static_cast<double>(quarter), static_cast<double>(windows.size()) / 4,
              static_cast<double>(windows.size()) / 10);
  // What was taken is not taken again.
  EXPECT_EQ(windows.take(sample_windows(Bytes(all).first(32 << 10)), 1), 0U);
  EXPECT_EQ(windows.take(sample_windows(all), 1), windows.size() - quarter);
  EXPECT_EQ(SharedWindows({}).take(content, 1), 0U);
}

TEST(WindowSample, WhatIsTooLittleForOneIsLeftToTheNext) {
  const Chunk all = xorshift(64 << 10, 6);
  const WindowSample content = sample_windows(all);
  SharedWindows windows(content);
  EXPECT_EQ(windows.take(content, windows.size() + 1), 0U);
  EXPECT_EQ(windows.take(content, windows.size()), windows.size());
  EXPECT_EQ(windows.take(content, 0), 0U) << "they are taken";
}

}  // namespace
}  // namespace chunker::delta
