#include "pipeline/readers.hpp"

#include <chrono>
#include <thread>

#include "base/try.hpp"

namespace chunker::pipeline {
namespace {

using std::chrono::steady_clock;

constexpr auto kReadersWait = std::chrono::seconds(30);
constexpr auto kSilence = std::chrono::seconds(1);
constexpr auto kReadersPoll = std::chrono::milliseconds(50);

}  // namespace

Result<resource::FileLock> lock_out_readers(const Store::Parts& parts,
                                            const OnReadersWait& on_wait) {
  const auto began = steady_clock::now();
  bool told = false;
  for (;;) {
    auto lock = resource::FileLock::try_exclusive(parts.directory / "readers");
    if (lock && told) on_wait(ReadersWait::over);
    if (lock || lock.error().code != ErrorCode::store_locked) return lock;
    const auto waited = steady_clock::now() - began;
    if (waited > kReadersWait) {
      return base::fail(ErrorCode::store_locked,
                        "readers kept the store open; nothing was lost, run this again later",
                        Error::kNoOffset, parts.directory.string());
    }
    if (on_wait && !told && waited >= kSilence) {
      told = true;
      on_wait(ReadersWait::begun);
    }
    std::this_thread::sleep_for(kReadersPoll);
  }
}

}  // namespace chunker::pipeline
