#include "chunker/async_chunk_stream.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <new>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "pipeline/async_reading.hpp"
#include "pipeline/store_fixture.hpp"
#include "resource/thread_cpu.hpp"

namespace chunker {
namespace {

using test::Loop;
using test::Pool;
using test::Seen;
using test::Source;
using test::Task;

/// What the one without coroutines says.
Seen read_at_once(std::string_view bytes, const ChunkingOptions& chunking,
                  const StreamOptions& options) {
  Source source{bytes};
  auto stream = ChunkStream::over(source.get(), chunking, options);
  EXPECT_OK(stream);
  Seen seen;
  for (auto step = stream->next(); step; step = stream->next()) {
    if (step->kind == StreamStep::Kind::ended) {
      seen.add_rest(*stream);
      break;
    }
    seen.add(step->chunk);
  }
  return seen;
}

class AsyncStreams : public test::StoreFixture {
 protected:
  const ChunkingOptions chunking_ = test::small_chunks().chunking;
};

TEST_F(AsyncStreams, R24_1_ChunksAreThoseOfAChunkStreamWhateverTheTurns) {
  std::mt19937_64 random(24);
  std::vector<std::string> inputs{"", "x", std::string(100'000, '\0')};
  for (const std::size_t size : {2047U, 2048U, 32767U, 32768U, 32769U, 65536U}) {
    inputs.push_back(test::random_bytes(size, size));
  }
  for (int i = 0; i < 20; ++i) {
    std::vector<test::FileOfNar> files;
    for (char name = 'a'; name < static_cast<char>('a' + i % 5); ++name) {
      files.push_back({{name}, test::random_text(random(), random() % 100'000)});
    }
    inputs.push_back(test::make_nar(files));
  }
  for (const std::string& input : inputs) {
    StreamOptions options{.hash = random() % 2 ? HashAlgorithm::blake3() : HashAlgorithm::sha256()};
    options.store_prefix = random() % 2 ? "/nix/store/" : "";
    const Seen expected = read_at_once(input, chunking_, options);
    ASSERT_TRUE(expected.ended);
    options.max_iteration_time_us = random() % 2 ? 1 : 50;
    Loop loop;
    Source source{input};
    auto stream = AsyncChunkStream::over(source.get(), loop.resume_on(), chunking_, options);
    ASSERT_OK(stream);
    Seen seen;
    const Task task = test::read_all(*std::move(stream), seen);
    EXPECT_EQ(source.read_bytes, 0U) << "before its turn";
    loop.run();
    EXPECT_EQ(seen, expected) << input.size();
    EXPECT_GT(loop.turn_count(), expected.extents.size()) << "one for each chunk, one for the end";
  }
}

TEST_F(AsyncStreams, R24_1_AFileOnceAgainBehindItsEnd) {
  const std::string bytes = test::random_bytes(1, 100'000);
  Loop loop;
  auto stream = AsyncChunkStream::open(write_nar("f", bytes), loop.resume_on(), chunking_);
  ASSERT_OK(stream);
  std::string got;
  int end_count = 0;
  const auto read = [&]() -> Task {
    while (end_count < 3) {
      const auto chunk = co_await stream->next();
      if (chunk && *chunk) got += text_of((*chunk)->bytes);
      if (chunk && !*chunk) ++end_count;
    }
  };
  const Task task = read();
  loop.run();
  EXPECT_EQ(end_count, 3);
  EXPECT_EQ(got, bytes);
}

// With all the time that it wants, each step of a stream is a chunk.
TEST_F(AsyncStreams, R12_4_TwoStreamsOnOneThreadTakeTurns) {
  const std::string bytes = test::random_bytes(1, 500'000);
  Loop loop;
  std::string order;
  const auto read = [&](AsyncChunkStream stream, char name) -> Task {
    for (auto chunk = co_await stream.next(); chunk && *chunk; chunk = co_await stream.next()) {
      order += name;
    }
  };
  std::vector<Source> sources(2, Source{bytes});
  std::vector<Task> tasks;
  for (Source& source : sources) {
    auto stream = AsyncChunkStream::over(source.get(), loop.resume_on(), chunking_,
                                         {.max_iteration_time_us = 1'000'000'000});
    ASSERT_OK(stream);
    tasks.push_back(read(*std::move(stream), tasks.empty() ? 'a' : 'b'));
  }
  loop.run();
  EXPECT_GT(order.size(), 60U);
  for (std::size_t i = 0; i < order.size(); ++i) ASSERT_EQ(order[i], i % 2 ? 'b' : 'a') << order;
}

// Each chunk takes more than a millisecond everywhere. As with ChunkStream, one in fifty is forgiven for interrupts.
TEST_F(AsyncStreams, R12_4_OthersHaveTheirTurnWithinALargeChunk) {
  ChunkingOptions chunking;
  chunking.recipe.algorithm = ChunkingAlgorithm::fixed;
  chunking.recipe.avg_bytes = chunking.recipe.max_bytes = 2 << 20;
  const std::string bytes = test::random_bytes(1, 24 << 20);
  Loop loop;
  Source source{bytes};
  auto stream = AsyncChunkStream::over(source.get(), loop.resume_on(), chunking,
                                       {.hash = HashAlgorithm::sha256()});
  ASSERT_OK(stream);
  std::size_t chunk_count = 0;
  bool ended = false;
  const auto read = [&]() -> Task {
    while (!ended) {
      const auto chunk = co_await stream->next();
      ended = !chunk || !*chunk;
      if (!ended) ++chunk_count;
    }
  };
  std::size_t tick_count = 0;
  std::size_t late_count = 0;
  const auto tick = [&]() -> Task {
    while (!ended) {
      const auto before = resource::thread_cpu_time();
      co_await loop.turn();
      ++tick_count;
      if (resource::thread_cpu_time() - before > std::chrono::milliseconds(1)) ++late_count;
    }
  };
  const Task reading = read();
  const Task ticking = tick();
  loop.run();
  EXPECT_EQ(chunk_count, 12U);
  EXPECT_GT(tick_count, 2 * chunk_count);
  EXPECT_LE(late_count, 1 + tick_count / 50) << "of " << tick_count;
}

TEST_F(AsyncStreams, R24_2_ThreadsMayTakeTurnsForManyStreams) {
  const std::string bytes = test::random_bytes(1, 1'000'000);
  StreamOptions options;
  const Seen expected = read_at_once(bytes, chunking_, options);
  options.max_iteration_time_us = 1;
  const auto path = write_nar("f", bytes);
  Pool pool;
  std::vector<Seen> seen(8);
  std::vector<Task> tasks;
  for (Seen& one : seen) {
    auto stream = AsyncChunkStream::open(path, pool.resume_on(), chunking_, options);
    ASSERT_OK(stream);
    tasks.push_back(test::read_all(*std::move(stream), one));
  }
  pool.run(4);
  for (const Seen& one : seen) EXPECT_EQ(one, expected);
}

TEST_F(AsyncStreams, R24_2_AnExecutorThatResumesAtOnceNeedsNoMoreStack) {
  const std::string bytes = test::random_bytes(1, 2'000'000);
  const auto at_once = [](std::coroutine_handle<> handle) { handle.resume(); };
  Source source{bytes};
  auto stream =
      AsyncChunkStream::over(source.get(), at_once, chunking_, {.max_iteration_time_us = 1});
  ASSERT_OK(stream);
  std::vector<std::uintptr_t> depths;
  const auto read = [&]() -> Task {
    for (auto chunk = co_await stream->next(); chunk && *chunk; chunk = co_await stream->next()) {
      depths.push_back(reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0)));
    }
  };
  const Task task = read();
  ASSERT_GT(depths.size(), 100U);
  EXPECT_EQ(std::ranges::min(depths), std::ranges::max(depths));
  EXPECT_EQ(source.read_bytes, bytes.size());
}

TEST_F(AsyncStreams, R24_3_SourcesBlockTheExecutorsThreadsAlone) {
  const std::string bytes = test::random_bytes(1, 300'000);
  Pool pool;
  Source source{bytes};
  auto stream = AsyncChunkStream::over(source.get(), pool.resume_on(), chunking_);
  ASSERT_OK(stream);
  Seen seen;
  const Task task = test::read_all(*std::move(stream), seen);
  EXPECT_TRUE(source.threads.empty());
  pool.run(1);
  EXPECT_TRUE(seen.ended);
  ASSERT_EQ(source.threads.size(), 1U);
  EXPECT_NE(source.threads.front(), std::this_thread::get_id());
}

TEST_F(AsyncStreams, R24_4_MemoryIsBoundedHoweverSlowTheConsumerIs) {
  const std::string bytes = test::random_bytes(1, 4'000'000);
  const auto budget = std::make_shared<MemoryBudget>();
  Loop loop;
  Source source{bytes};
  auto stream =
      AsyncChunkStream::over(source.get(), loop.resume_on(), chunking_, {.memory_budget = budget});
  ASSERT_OK(stream);
  const std::size_t buffer_bytes = budget->usage().current_usage_bytes;
  EXPECT_LT(buffer_bytes, 300'000U);
  std::size_t given_bytes = 0;
  const auto read = [&]() -> Task {
    for (auto chunk = co_await stream->next(); chunk && *chunk; chunk = co_await stream->next()) {
      given_bytes += (*chunk)->bytes.size();
      EXPECT_LE(source.read_bytes - given_bytes, buffer_bytes);
      const std::size_t read_bytes = source.read_bytes;
      for (int i = 0; i < 20; ++i) {
        EXPECT_EQ(loop.waiting_count(), 0U) << "the stream asks for no turn of its own";
        co_await loop.turn();
      }
      EXPECT_EQ(source.read_bytes, read_bytes);
      EXPECT_EQ(budget->usage().current_usage_bytes, buffer_bytes);
    }
  };
  const Task task = read();
  loop.run();
  EXPECT_EQ(given_bytes, bytes.size());
  EXPECT_EQ(budget->usage().peak_usage_bytes, buffer_bytes);
  EXPECT_EQ(budget->usage().allocation_count, 1U);
}

TEST_F(AsyncStreams, R25_4_WhatAnExecutorThrowsIsAnErrorWhereverItHappens) {
  const std::string bytes = test::random_bytes(1, 300'000);
  for (int turns_left = 0; turns_left < 10; ++turns_left) {
    Loop loop;
    int call_count = 0;
    const auto refuse = [&](std::coroutine_handle<> handle) {
      if (++call_count > turns_left) throw std::runtime_error("the pool is closed");
      loop.post(handle);
    };
    Source source{bytes};
    auto stream =
        AsyncChunkStream::over(source.get(), refuse, chunking_, {.max_iteration_time_us = 1});
    ASSERT_OK(stream);
    std::vector<Error> errors;
    const auto read = [&]() -> Task {
      while (errors.size() < 2) {
        const auto chunk = co_await stream->next();
        if (!chunk) errors.push_back(chunk.error());
      }
    };
    const Task task = read();
    loop.run();
    ASSERT_EQ(errors.size(), 2U);
    EXPECT_EQ(errors[0].code, ErrorCode::internal);
    EXPECT_EQ(errors[0].context, "resume_on: the pool is closed");
    EXPECT_EQ(errors[1], errors[0]);
    EXPECT_EQ(call_count, turns_left + 1) << "it is not asked again";
  }
}

TEST_F(AsyncStreams, R25_4_ExecutorsThatDoTwoThingsAtOnce) {
  using Handle = std::coroutine_handle<>;
  const std::vector<std::pair<ResumeOn, ErrorCode>> executors{
      {[](Handle handle) { handle.destroy(); }, ErrorCode::cancelled},
      {[](Handle handle) { handle.destroy(), throw 42; }, ErrorCode::internal},
      {[](Handle handle) { handle.resume(), throw 42; }, ErrorCode::internal},
      {[](Handle) { throw std::bad_alloc(); }, ErrorCode::memory_limit_exceeded}};
  for (const auto& [resume_on, code] : executors) {
    Source source{"abc"};
    auto stream = AsyncChunkStream::over(source.get(), resume_on);
    ASSERT_OK(stream);
    Seen seen;
    const Task task = test::read_all(*std::move(stream), seen);
    ASSERT_TRUE(seen.error);
    EXPECT_EQ(seen.error->code, code);
    EXPECT_EQ(source.read_bytes, 0U);
  }
}

TEST_F(AsyncStreams, R25_4_WhatASourceOrAHashThrowsIsAnError) {
  const auto hash = HashAlgorithm::custom(
      "throwing", [](Bytes) -> Digest { throw std::runtime_error("no luck"); });
  ASSERT_OK(hash);
  const ByteSource throwing = [](MutableBytes) -> Result<std::size_t> {
    throw std::runtime_error("no luck");
  };
  for (const bool by_hash : {false, true}) {
    Loop loop;
    Source source{"abc"};
    auto stream = by_hash
                      ? AsyncChunkStream::over(source.get(), loop.resume_on(), {}, {.hash = *hash})
                      : AsyncChunkStream::over(throwing, loop.resume_on());
    ASSERT_OK(stream);
    Seen seen;
    const Task task = test::read_all(*std::move(stream), seen);
    loop.run();
    ASSERT_TRUE(seen.error);
    EXPECT_EQ(seen.error->code, ErrorCode::internal);
    EXPECT_EQ(seen.error->context, "no luck");
  }
}

TEST_F(AsyncStreams, ASecondCoroutineIsRefusedAndTheFirstGoesOn) {
  Loop loop;
  Source source{"abc"};
  auto stream = AsyncChunkStream::over(source.get(), loop.resume_on());
  ASSERT_OK(stream);
  std::vector<AsyncChunkStream::Next::Outcome> outcomes;
  const auto read = [&]() -> Task { outcomes.push_back(co_await stream->next()); };
  const Task first = read();
  const Task second = read();
  ASSERT_EQ(outcomes.size(), 1U);
  ASSERT_FALSE(outcomes[0]);
  EXPECT_EQ(outcomes[0].error().code, ErrorCode::invalid_argument);
  loop.run();
  ASSERT_EQ(outcomes.size(), 2U);
  ASSERT_OK(outcomes[1]);
  EXPECT_EQ(text_of(outcomes[1].value()->bytes), "abc");
  const Task third = read();
  loop.run();
  EXPECT_OK(outcomes.at(2));
}

TEST_F(AsyncStreams, WhatCannotBeMeantOrReadIsSaidBefore) {
  Loop loop;
  Source source{"abc"};
  const auto nowhere = AsyncChunkStream::over(source.get(), {});
  ASSERT_FALSE(nowhere);
  EXPECT_EQ(nowhere.error().code, ErrorCode::invalid_argument);
  ChunkingOptions chunking;
  chunking.recipe.min_bytes = chunking.recipe.max_bytes + 1;
  EXPECT_FALSE(AsyncChunkStream::over(source.get(), loop.resume_on(), chunking));
  const auto absent = AsyncChunkStream::open(directory_.path() / "absent", loop.resume_on());
  ASSERT_FALSE(absent);
  EXPECT_EQ(absent.error().code, ErrorCode::io_not_found);
}

}  // namespace
}  // namespace chunker
