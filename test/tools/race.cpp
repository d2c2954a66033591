// Two threads count together: with LOCKED they take turns, without it they race. For tsan_test.py.
#include <cstdio>
#include <mutex>
#include <thread>

int main() {
  int count = 0;
  std::mutex mutex;
  const auto add = [&count, &mutex] {
    for (int i = 0; i < 1000; ++i) {
#ifdef LOCKED
      const std::lock_guard lock(mutex);
#endif
      ++count;
    }
  };
  std::thread other(add);
  add();
  other.join();
  std::printf("%d%s", count, mutex.try_lock() ? "\n" : "");
}
