#include "cli/program_memory.hpp"

#include <features.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "base/try.hpp"
#include "cli/flags.hpp"
#include "cli/text.hpp"

namespace chunker::cli {
namespace {

/// Code, libraries, their tables, and the stacks of some 20 threads (bench/RESULTS.md, "Memory limits").
constexpr std::size_t kProgramBytes = 24 << 20;

#ifdef __GLIBC__
/// By itself glibc gives each thread a heap of its own and keeps freed buffers there, up to 32 MiB each. All that is as
/// large as a buffer comes from the system and goes back to it, and threads share two heaps.
void keep_heap_small() {
  mallopt(M_ARENA_MAX, 2);
  mallopt(M_MMAP_THRESHOLD, 256 << 10);
  mallopt(M_TRIM_THRESHOLD, 1 << 20);
}
#else
void keep_heap_small() {}
#endif

}  // namespace

Result<void> ProgramMemory::limit_to(const std::string& size) {
  const auto bytes = parse_bytes(size);
  if (!bytes || *bytes == 0) {
    return std::unexpected(usage_error("--memory-limit is a size, for example 128MiB", size));
  }
  budget_ = std::make_shared<MemoryBudget>(
      MemoryBudgetOptions{.hard_limit_bytes = static_cast<std::size_t>(*bytes)});
  CHUNKER_TRY(program_, budget_->reserve(kProgramBytes));
  keep_heap_small();
  return {};
}

void ProgramMemory::add_usage(Json& object) const {
  if (budget_ == nullptr) return;
  const MemoryUsage usage = budget_->usage();
  object["memory_limit_bytes"] = budget_->options().hard_limit_bytes;
  object["current_usage_bytes"] = usage.current_usage_bytes;
  object["peak_usage_bytes"] = usage.peak_usage_bytes;
  object["allocation_count"] = usage.allocation_count;
}

}  // namespace chunker::cli
