#include <gtest/gtest.h>

#include <chrono>
#include <latch>
#include <optional>
#include <stdexcept>
#include <thread>

#include "chunker/dictionary_training.hpp"
#include "codec/dictionary_samples.hpp"
#include "pipeline/store_fixture.hpp"

namespace chunker {
namespace {

static_assert(threads_of<DictionaryTrainer> == Threads::shared);

using std::chrono::steady_clock;

/// The smallest coroutine there is: runs until it waits, and goes on wherever it is resumed.
struct Task {
  struct promise_type {
    Task get_return_object() { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() { std::terminate(); }
  };
};

struct Seen {
  std::optional<DictionaryTraining::Outcome> outcome{};
  std::thread::id thread{};
  std::latch done{1};
};

Task wait_for(DictionaryTraining training, Seen& seen) {
  seen.outcome = co_await training;
  seen.thread = std::this_thread::get_id();
  seen.done.count_down();
}

class Trainer : public testing::Test {
 protected:
  const std::shared_ptr<DictionaryCache> cache_ = std::make_shared<DictionaryCache>();
};

TEST_F(Trainer, R4_5_TrainsIntoTheCacheWithoutBlockingTheCaller) {
  DictionaryTrainer trainer(cache_);
  DictionarySamples samples = test::small_files(20'000);
  const auto begin = steady_clock::now();
  const DictionaryTraining training = trainer.train(std::move(samples));
  const auto called = steady_clock::now() - begin;
  EXPECT_FALSE(training.ready());
  const auto trained = training.get();
  const auto took = steady_clock::now() - begin;
  ASSERT_OK(trained);
  EXPECT_TRUE(training.ready());
  EXPECT_LT(called * 20, took);
  EXPECT_EQ(cache_->cached((*trained)->id()), *trained);
}

TEST_F(Trainer, R4_5_ACoroutineWaitsForIt) {
  DictionaryTrainer trainer(cache_);
  Seen seen;
  wait_for(trainer.train(test::small_files(300), {.dictionary_bytes_max = 2048}), seen);
  seen.done.wait();
  ASSERT_OK(*seen.outcome);
  EXPECT_NE(seen.thread, std::this_thread::get_id());
  // And one that comes when it is there does not wait at all.
  const auto ready = trainer.train(test::small_files(300), {.dictionary_bytes_max = 2048});
  ASSERT_OK(ready.get());
  Seen at_once;
  wait_for(ready, at_once);
  EXPECT_EQ(at_once.thread, std::this_thread::get_id());
}

TEST_F(Trainer, R4_5_ACoroutineGoesOnWhereItIsToldTo) {
  DictionaryTrainer trainer(cache_);
  std::coroutine_handle<> to_resume;
  std::latch handed_over(1);
  Seen seen;
  wait_for(trainer.train(test::small_files(300), {.dictionary_bytes_max = 2048,
                                                  .resume_on =
                                                      [&](std::coroutine_handle<> waiting) {
                                                        to_resume = waiting;
                                                        handed_over.count_down();
                                                      }}),
           seen);
  handed_over.wait();
  EXPECT_FALSE(seen.outcome);
  to_resume.resume();
  ASSERT_TRUE(seen.outcome);
  EXPECT_OK(*seen.outcome);
  EXPECT_EQ(seen.thread, std::this_thread::get_id());
}

TEST_F(Trainer, R4_5_ACoroutineThatNobodyTakesGoesOnWithWhatWasThrown) {
  DictionaryTrainer trainer(cache_);
  const auto refuse = [](std::coroutine_handle<>) {
    throw std::runtime_error("the pool is closed");
  };
  Seen seen;
  const auto training =
      trainer.train(test::small_files(300), {.dictionary_bytes_max = 2048, .resume_on = refuse});
  wait_for(training, seen);
  seen.done.wait();
  ASSERT_FALSE(*seen.outcome);
  EXPECT_EQ(seen.outcome->error().code, ErrorCode::internal);
  EXPECT_EQ(seen.outcome->error().context, "resume_on: the pool is closed");
  // The dictionary is there all the same, and the next one follows.
  ASSERT_OK(training.get());
  EXPECT_OK(trainer.train(test::small_files(300), {.dictionary_bytes_max = 2048}).get());
}

TEST_F(Trainer, R4_5_WhatIsThrownAfterTheCoroutineWentOnIsDropped) {
  DictionaryTrainer trainer(cache_);
  const auto resume_and_throw = [](std::coroutine_handle<> waiting) {
    waiting.resume();
    throw 42;
  };
  Seen seen;
  wait_for(trainer.train(test::small_files(300),
                         {.dictionary_bytes_max = 2048, .resume_on = resume_and_throw}),
           seen);
  seen.done.wait();
  EXPECT_OK(*seen.outcome);
  EXPECT_OK(trainer.train(test::small_files(300), {.dictionary_bytes_max = 2048}).get());
}

TEST_F(Trainer, R4_2_WhatTheCacheHasIsNotTrainedAgain) {
  DictionaryTrainer trainer(cache_);
  constexpr DictionaryId kId{77};
  const auto known = cache_->add(test::trained_dictionary(kId));
  ASSERT_OK(known);
  // Samples that make no dictionary: nobody looks at them.
  EXPECT_EQ(trainer.train({}, {.id = kId}).get().value(), *known);
  EXPECT_EQ(trainer.train({}, {.id = DictionaryId{78}}).get().error().code,
            ErrorCode::invalid_argument);
}

TEST_F(Trainer, WhatWaitsIsCancelledWhenTheTrainerEnds) {
  std::optional<DictionaryTraining> first, last;
  {
    DictionaryTrainer trainer(cache_);
    first = trainer.train(test::small_files(20'000));
    for (int i = 0; i < 5; ++i) last = trainer.train(test::small_files(20'000));
  }
  EXPECT_TRUE(first->ready());
  ASSERT_TRUE(last->ready());
  EXPECT_EQ(last->get().error().code, ErrorCode::cancelled);
}

TEST_F(Trainer, R4_5_ManyThreadsTrainAtOnce) {
  DictionaryTrainer trainer(cache_);
  {
    std::vector<std::jthread> threads;
    for (unsigned i = 0; i < 4; ++i) {
      threads.emplace_back([&trainer, i] {
        const auto trained = trainer
                                 .train(test::small_files(300), {.dictionary_bytes_max = 2048,
                                                                 .id = DictionaryId{1000 + i}})
                                 .get();
        ASSERT_OK(trained);
        EXPECT_EQ((*trained)->id(), DictionaryId{1000 + i});
      });
    }
  }
  EXPECT_EQ(cache_->stats().dictionaries, 4U);
}

}  // namespace
}  // namespace chunker
