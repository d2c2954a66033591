#pragma once

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <vector>

#include "resource/descriptors.hpp"

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

/// How many files this process has open.
inline std::size_t open_descriptors() {
  const LowerLimit known(RLIMIT_NOFILE, 1000);
  return 1000 - resource::descriptors_left();
}

/// A limit of descriptors that leaves exactly `count`, also where some that are open have high numbers.
inline rlim_t limit_that_leaves(std::size_t count) {
  std::vector<int> free;
  while (free.size() < count) free.push_back(::dup(0));
  std::ranges::for_each(free, ::close);
  return static_cast<rlim_t>(std::ranges::max(free)) + 1;
}

}  // namespace chunker::test
