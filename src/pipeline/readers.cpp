#include "pipeline/readers.hpp"

#include <chrono>
#include <thread>

#include "base/try.hpp"

namespace chunker::pipeline {
namespace {

constexpr auto kReadersWait = std::chrono::seconds(30);
constexpr auto kReadersPoll = std::chrono::milliseconds(50);

}  // namespace

Result<resource::FileLock> lock_out_readers(const Store::Parts& parts) {
  const auto deadline = std::chrono::steady_clock::now() + kReadersWait;
  for (;;) {
    auto lock = resource::FileLock::try_exclusive(parts.directory / "readers");
    if (lock || lock.error().code != ErrorCode::store_locked) return lock;
    if (std::chrono::steady_clock::now() > deadline) {
      return base::fail(ErrorCode::store_locked,
                        "readers kept the store open; nothing was lost, run this again later",
                        Error::kNoOffset, parts.directory.string());
    }
    std::this_thread::sleep_for(kReadersPoll);
  }
}

}  // namespace chunker::pipeline
