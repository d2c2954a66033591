#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

// clang checks these with -Wthread-safety: reading a guarded member unlocked does not compile there.
#if defined(__clang__)
#define CHUNKER_THREAD_ATTRIBUTE(x) __attribute__((x))
#else
#define CHUNKER_THREAD_ATTRIBUTE(x)
#endif
#define CHUNKER_CAPABILITY(x) CHUNKER_THREAD_ATTRIBUTE(capability(x))
#define CHUNKER_GUARDED_BY(x) CHUNKER_THREAD_ATTRIBUTE(guarded_by(x))
#define CHUNKER_REQUIRES(...) CHUNKER_THREAD_ATTRIBUTE(requires_capability(__VA_ARGS__))
#define CHUNKER_EXCLUDES(...) CHUNKER_THREAD_ATTRIBUTE(locks_excluded(__VA_ARGS__))
#define CHUNKER_ACQUIRE(...) CHUNKER_THREAD_ATTRIBUTE(acquire_capability(__VA_ARGS__))
#define CHUNKER_RELEASE(...) CHUNKER_THREAD_ATTRIBUTE(release_capability(__VA_ARGS__))
#define CHUNKER_SCOPED_CAPABILITY CHUNKER_THREAD_ATTRIBUTE(scoped_lockable)

namespace chunker::base {

/// std::mutex with a name for the compiler's thread checker.
class CHUNKER_CAPABILITY("mutex") Mutex {
 public:
  void lock() CHUNKER_ACQUIRE() { mutex_.lock(); }
  void unlock() CHUNKER_RELEASE() { mutex_.unlock(); }

 private:
  std::mutex mutex_;
};

/// Holds a Mutex for one scope.
class CHUNKER_SCOPED_CAPABILITY Lock {
 public:
  explicit Lock(Mutex& mutex) CHUNKER_ACQUIRE(mutex) : mutex_(mutex) { mutex_.lock(); }
  ~Lock() CHUNKER_RELEASE() { mutex_.unlock(); }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

 private:
  Mutex& mutex_;
};

/// Waits on a Mutex that the caller holds; the predicate loop is the caller's, in plain sight.
class Condition {
 public:
  void wait(Mutex& mutex) CHUNKER_REQUIRES(mutex) { condition_.wait(mutex); }
  void wait_for(Mutex& mutex, std::chrono::milliseconds longest) CHUNKER_REQUIRES(mutex) {
    condition_.wait_for(mutex, longest);
  }
  void notify_one() noexcept { condition_.notify_one(); }
  void notify_all() noexcept { condition_.notify_all(); }

 private:
  std::condition_variable_any condition_;
};

}  // namespace chunker::base
