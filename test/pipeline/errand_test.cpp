#include "pipeline/errand.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>

#include "pipeline/store_fixture.hpp"

namespace chunker::pipeline {
namespace {

using Handle = std::coroutine_handle<>;

/// Waits, throws when it is resumed, and stays where it is.
struct Throwing {
  struct promise_type {
    Throwing get_return_object() {
      return {std::coroutine_handle<promise_type>::from_promise(*this)};
    }
    std::suspend_always initial_suspend() noexcept { return {}; }
    std::suspend_always final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() { throw; }
  };
  Handle handle;
};

Throwing throwing() {
  throw std::runtime_error("its own");
  co_return;
}

/// Notes what becomes of it.
struct Noting final : Errand {
  explicit Noting(std::string* notes, Handle next = {}) : notes_(notes), next_(next) {}
  ~Noting() override { *notes_ += " gone"; }
  Handle run() noexcept override {
    *notes_ += " run";
    return next_;
  }
  Handle drop() noexcept override {
    *notes_ += " drop";
    return next_;
  }

 private:
  std::string* notes_;
  Handle next_;
};

class Errands : public testing::Test {
 protected:
  Result<Sent> send_to(const ResumeOn& resume_on, Handle next = {}) {
    return send(std::make_shared<Noting>(&notes_, next), resume_on);
  }

  std::string notes_;
  Handle kept_;
  const ResumeOn keep_ = [this](Handle handle) { kept_ = handle; };
};

TEST_F(Errands, HaveOneTurnAtMost) {
  ASSERT_EQ(send_to(keep_), Sent::away);
  EXPECT_EQ(notes_, "");
  kept_.resume();
  EXPECT_EQ(notes_, " run gone");
  notes_.clear();
  ASSERT_EQ(send_to(keep_), Sent::away);
  kept_.destroy();
  EXPECT_EQ(notes_, " drop gone");
}

TEST_F(Errands, ComeBackUndoneIfTheExecutorDoesNotWait) {
  EXPECT_EQ(send_to([](Handle handle) { handle.resume(); }), Sent::back);
  const auto destroyed = send_to([](Handle handle) { handle.destroy(); });
  ASSERT_FALSE(destroyed);
  EXPECT_EQ(destroyed.error(), dropped());
  EXPECT_EQ(notes_, " gone gone");
}

// An executor that goes on with others while it takes one.
TEST_F(Errands, OfWhichOneIsSentWhileAnotherIs) {
  Result<Sent> inner;
  Handle first;
  const auto outer = send_to([&](Handle handle) {
    first = handle;
    inner = send_to([&](Handle second) {
      first.resume();
      kept_ = second;
    });
  });
  EXPECT_EQ(outer, Sent::back);
  EXPECT_EQ(inner, Sent::away);
  EXPECT_EQ(notes_, " gone");
  kept_.resume();
  EXPECT_EQ(notes_, " gone run gone");
}

TEST_F(Errands, R25_4_WhatAnExecutorThrowsIsAnError) {
  for (int i = 0; i < 3; ++i) {
    notes_.clear();
    const auto sent = send_to([i](Handle handle) {
      if (i == 1) handle.resume();
      if (i == 2) handle.destroy();
      throw std::runtime_error("closed");
    });
    ASSERT_FALSE(sent);
    EXPECT_EQ(sent.error().code, ErrorCode::internal);
    EXPECT_EQ(sent.error().context, "resume_on: closed");
    EXPECT_EQ(notes_, " gone");
  }
  EXPECT_FALSE(send_to({})) << "there is none";
}

TEST_F(Errands, R25_4_WhatGoesOnMayThrowToWhoeverResumes) {
  const Throwing resumed = throwing();
  ASSERT_EQ(send_to(keep_, resumed.handle), Sent::away);
  EXPECT_THROW(kept_.resume(), std::runtime_error);
  EXPECT_EQ(notes_, " run gone");
  const Throwing destroyed = throwing();
  ASSERT_EQ(send_to(keep_, destroyed.handle), Sent::away);
  kept_.destroy();  // Does not throw.
  EXPECT_EQ(notes_, " run gone drop gone");
  resumed.handle.destroy();
  destroyed.handle.destroy();
}

}  // namespace
}  // namespace chunker::pipeline
