#include "pipeline/ingest_queue.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <future>
#include <optional>
#include <string>
#include <vector>

#include "pipeline/store_fixture.hpp"

namespace chunker::pipeline {
namespace {

std::vector<IngestSource> named(const std::vector<std::string>& names) {
  std::vector<IngestSource> sources;
  for (const std::string& name : names) {
    sources.push_back({IngestSource::Kind::nar_file, "/nowhere", -1, name});
  }
  return sources;
}

using Number = std::optional<std::size_t>;

TEST(IngestQueue, TheFirstVersionOfEachPackageComesFirst) {
  const auto sources = named({"curl-1.nar", "curl-2.nar", "readme", "zlib-1.nar", "zlib-3.nar"});
  IngestQueue queue(sources);
  std::vector<std::size_t> order;
  while (!queue.is_empty_for_now()) {
    order.push_back(queue.next().value());
    queue.end(order.back());
  }
  EXPECT_EQ(order, (std::vector<std::size_t>{0, 2, 3, 1, 4}));
  EXPECT_EQ(queue.next(), std::nullopt);
}

TEST(IngestQueue, AVersionWaitsForTheOneBeforeIt) {
  const auto sources = named({"curl-1.nar", "curl-2.nar", "curl-3.nar", "zlib-1.nar"});
  IngestQueue queue(sources);
  EXPECT_EQ(queue.next(), Number(0));
  EXPECT_EQ(queue.next(), Number(3));
  EXPECT_TRUE(queue.is_empty_for_now());
  EXPECT_EQ(queue.next(), std::nullopt);
  queue.end(3);
  EXPECT_EQ(queue.next(), std::nullopt) << "zlib is no version of curl";
  queue.end(0);
  EXPECT_FALSE(queue.is_empty_for_now());
  EXPECT_EQ(queue.next(), Number(1));
  EXPECT_EQ(queue.next(), std::nullopt);
  queue.end(1);
  EXPECT_EQ(queue.next(), Number(2));
  queue.end(2);
  EXPECT_TRUE(queue.is_empty_for_now());
}

TEST(IngestQueue, WhatBelongsToNoPackageWaitsForNothing) {
  const std::vector<IngestSource> sources(3);  // Three times standard input, which has no name.
  IngestQueue queue(sources);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(queue.next(), Number(i));
  for (std::size_t i = 0; i < 3; ++i) queue.end(i);
  EXPECT_TRUE(queue.is_empty_for_now());
}

class IngestStages : public test::StoreFixture {};

TEST_F(IngestStages, APipeThatKeepsItsReaderWaitingKeepsNobodyElse) {
  auto store = open();
  ASSERT_OK(store);
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  std::vector<IngestSource> sources = {
      {IngestSource::Kind::file_descriptor, {}, ends[0], "from-a-pipe"}};
  for (int i = 0; i < 20; ++i) {
    const std::string name = "file-" + std::string(1, static_cast<char>('a' + i));
    const auto path = write_nar(
        name, test::make_nar({{"file", test::random_text(static_cast<unsigned>(i), 20'000)}}));
    sources.push_back({IngestSource::Kind::nar_file, path, -1, {}});
  }
  IngestOptions options = test::small_chunks();
  options.threads = 2;
  std::atomic<int> durable{0};
  std::promise<void> all_files;
  auto ingested = std::async(std::launch::async, [&] {
    return ingest(*store, sources, options, [&](const auto&, const auto& result) {
      EXPECT_OK(result);
      if (++durable == 20) all_files.set_value();
    });
  });
  EXPECT_EQ(all_files.get_future().wait_for(std::chrono::seconds(20)), std::future_status::ready)
      << durable << " files were taken in while the pipe had nothing";
  const std::string nar = test::make_nar({{"file", test::random_text(77, 20'000)}});
  EXPECT_EQ(::write(ends[1], nar.data(), nar.size()), static_cast<ssize_t>(nar.size()));
  ::close(ends[1]);
  EXPECT_OK(ingested.get());
  ::close(ends[0]);
  EXPECT_EQ(durable, 21);
  EXPECT_EQ(*give_back(*store, "from-a-pipe"), nar);
}

}  // namespace
}  // namespace chunker::pipeline
