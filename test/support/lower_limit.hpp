#pragma once

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>

namespace chunker::test {

/// A smaller limit of the process as long as this lives.
class LowerLimit {
 public:
  LowerLimit(__rlimit_resource resource, rlim_t limit) : resource_(resource) {
    ::getrlimit(resource, &before_);
    const rlimit lower{limit, before_.rlim_max};
    EXPECT_EQ(::setrlimit(resource, &lower), 0);
    handler_ = std::signal(SIGXFSZ, SIG_IGN);
  }
  ~LowerLimit() {
    ::setrlimit(resource_, &before_);
    std::signal(SIGXFSZ, handler_);
  }
  LowerLimit(const LowerLimit&) = delete;
  LowerLimit& operator=(const LowerLimit&) = delete;

 private:
  __rlimit_resource resource_;
  rlimit before_{};
  void (*handler_)(int) = SIG_DFL;
};

}  // namespace chunker::test
