#include "pipeline/nar_hashes.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <thread>

#include "chunker/hash.hpp"

namespace chunker::pipeline {
namespace {

// Feeds `content` in pieces of odd sizes; each piece lies in memory of its own that dies when it is released, so
// that a sanitizer sees whoever keeps it longer.
void feed(NarHashes::Stream& stream, Bytes content, std::uint64_t seed, std::atomic<int>& held) {
  std::mt19937_64 engine(seed);
  while (!content.empty()) {
    const std::size_t size = std::min<std::size_t>(content.size(), engine() % 300'000);
    auto piece = std::make_shared<std::vector<std::byte>>(
        content.begin(), content.begin() + static_cast<std::ptrdiff_t>(size));
    ++held;
    const Bytes view(*piece);
    stream.update(view, [piece = std::move(piece), &held] { --held; });
    content = content.subspan(size);
  }
}

ByteBuffer content_of(std::uint64_t seed, std::size_t size) {
  std::mt19937_64 engine(seed);
  ByteBuffer content;
  content.resize(size);
  for (std::byte& byte : content.span()) byte = static_cast<std::byte>(engine());
  return content;
}

TEST(NarHashes, R8_2_OfStreamsSideBySideAreTheSameAsOneByOne) {
  NarHashes hashes;
  std::atomic<int> held{0};
  std::vector<std::jthread> threads;
  for (std::uint64_t thread = 0; thread < 5; ++thread) {
    threads.emplace_back([&hashes, &held, thread] {
      for (std::uint64_t round = 0; round < 12; ++round) {
        const std::uint64_t seed = thread * 100 + round;
        const ByteBuffer content = content_of(seed, seed * 7919 % 3'000'000);
        NarHashes::Stream stream(hashes);
        feed(stream, content, seed, held);
        EXPECT_EQ(stream.finish(), HashAlgorithm::sha256().hash(content)) << seed;
      }
    });
  }
  threads.clear();
  EXPECT_EQ(held, 0);
}

TEST(NarHashes, R8_2_ABatchOfStreamsOfOneThreadIsHashedRight) {
  NarHashes hashes;
  std::atomic<int> held{0};
  std::vector<ByteBuffer> contents;
  std::vector<std::unique_ptr<NarHashes::Stream>> streams;
  for (std::uint64_t i = 0; i < 2 * NarHashes::kStreamsMax; ++i) {
    contents.push_back(content_of(i, i * i * 7919 % 2'000'000));
    streams.push_back(std::make_unique<NarHashes::Stream>(hashes));
  }
  for (std::size_t i = 0; i < streams.size(); ++i) feed(*streams[i], contents[i], i, held);
  for (std::size_t i = 0; i < streams.size(); ++i) {
    EXPECT_EQ(streams[i]->finish(), HashAlgorithm::sha256().hash(contents[i])) << i;
  }
  EXPECT_EQ(held, 0);
}

TEST(NarHashes, R8_2_AShareOfAStreamThatIsAloneDoesNotWait) {
  NarHashes hashes;
  NarHashes::Stream stream(hashes);
  bool released = false;
  stream.update(content_of(1, NarHashes::kShareBytesMin), [&] { released = true; });
  EXPECT_TRUE(released);
}

TEST(NarHashes, R8_2_AShareWaitsForThatOfAnotherStream) {
  const ByteBuffer one = content_of(1, NarHashes::kShareBytesMin + 1);
  const ByteBuffer two = content_of(2, NarHashes::kShareBytesMin);
  NarHashes hashes;
  NarHashes::Stream first(hashes), second(hashes);
  bool first_released = false, second_released = false;
  first.update(one, [&] { first_released = true; });
  EXPECT_FALSE(first_released);
  second.update(two, [&] { second_released = true; });
  EXPECT_TRUE(second_released);
  EXPECT_FALSE(first_released);  // One byte of it is left.
  EXPECT_EQ(first.finish(), HashAlgorithm::sha256().hash(one));
  EXPECT_EQ(second.finish(), HashAlgorithm::sha256().hash(two));
}

// A stream that has its hash is not waited for.
TEST(NarHashes, R8_2_AFinishedStreamIsNoCompany) {
  NarHashes hashes;
  NarHashes::Stream first(hashes), second(hashes);
  (void)first.finish();
  bool released = false;
  second.update(content_of(1, NarHashes::kShareBytesMin), [&] { released = true; });
  EXPECT_TRUE(released);
}

TEST(NarHashes, R11_5_WaitingBytesAreBounded) {
  std::uint64_t waiting = 0, most = 0;  // With the one that made it too much.
  NarHashes hashes;
  NarHashes::Stream busy(hashes), idle(hashes);
  const ByteBuffer piece = content_of(1, 1 << 20);
  for (int i = 0; i < 80; ++i) {
    most = std::max(most, ++waiting);
    busy.update(piece, [&] { --waiting; });
  }
  EXPECT_EQ(most, (NarHashes::kHeldBytesMax >> 20) + 1);
}

// A frame of which one small chunk is wanted is held as a whole.
TEST(NarHashes, R11_5_WhatWaitingPiecesHoldIsBounded) {
  std::uint64_t waiting = 0, most = 0;
  NarHashes hashes;
  NarHashes::Stream busy(hashes), idle(hashes);
  for (int i = 0; i < 80; ++i) {
    most = std::max(most, ++waiting);
    busy.update(bytes_of("x"), [&] { --waiting; }, 1 << 20);
  }
  EXPECT_EQ(most, (NarHashes::kHeldBytesMax >> 20) + 1);
}

TEST(NarHashes, AStreamThatEndsEarlyReleasesItsPieces) {
  NarHashes hashes;
  NarHashes::Stream other(hashes);
  int released = 0;
  {
    NarHashes::Stream stream(hashes);
    stream.update(bytes_of("dropped"), [&] { ++released; });
    EXPECT_EQ(released, 0);
    stream.update({}, [&] { ++released; });
    EXPECT_EQ(released, 1);
  }
  EXPECT_EQ(released, 2);
  EXPECT_EQ(other.finish(), HashAlgorithm::sha256().hash({}));
}

}  // namespace
}  // namespace chunker::pipeline
