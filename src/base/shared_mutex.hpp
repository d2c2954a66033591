#pragma once

#include <shared_mutex>

#include "base/mutex.hpp"

#define CHUNKER_ACQUIRE_SHARED(...) CHUNKER_THREAD_ATTRIBUTE(acquire_shared_capability(__VA_ARGS__))
#define CHUNKER_RELEASE_SHARED(...) CHUNKER_THREAD_ATTRIBUTE(release_shared_capability(__VA_ARGS__))
#define CHUNKER_REQUIRES_SHARED(...) \
  CHUNKER_THREAD_ATTRIBUTE(requires_shared_capability(__VA_ARGS__))

namespace chunker::base {

/// std::shared_mutex with a name for the compiler's thread checker: whoever only reads keeps no other reader waiting.
class CHUNKER_CAPABILITY("shared_mutex") SharedMutex {
 public:
  void lock() CHUNKER_ACQUIRE() { mutex_.lock(); }
  void unlock() CHUNKER_RELEASE() { mutex_.unlock(); }
  void lock_shared() CHUNKER_ACQUIRE_SHARED() { mutex_.lock_shared(); }
  void unlock_shared() CHUNKER_RELEASE_SHARED() { mutex_.unlock_shared(); }

 private:
  std::shared_mutex mutex_;
};

/// Holds a SharedMutex for one scope, to read.
class CHUNKER_SCOPED_CAPABILITY ReadLock {
 public:
  explicit ReadLock(SharedMutex& mutex) CHUNKER_ACQUIRE_SHARED(mutex) : mutex_(mutex) {
    mutex_.lock_shared();
  }
  ~ReadLock() CHUNKER_RELEASE() { mutex_.unlock_shared(); }
  ReadLock(const ReadLock&) = delete;
  ReadLock& operator=(const ReadLock&) = delete;

 private:
  SharedMutex& mutex_;
};

/// Holds a SharedMutex for one scope, to write.
class CHUNKER_SCOPED_CAPABILITY WriteLock {
 public:
  explicit WriteLock(SharedMutex& mutex) CHUNKER_ACQUIRE(mutex) : mutex_(mutex) { mutex_.lock(); }
  ~WriteLock() CHUNKER_RELEASE() { mutex_.unlock(); }
  WriteLock(const WriteLock&) = delete;
  WriteLock& operator=(const WriteLock&) = delete;

 private:
  SharedMutex& mutex_;
};

}  // namespace chunker::base
