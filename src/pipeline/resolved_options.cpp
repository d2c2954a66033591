#include "pipeline/resolved_options.hpp"

#include <algorithm>
#include <cstdlib>
#include <deque>
#include <string_view>

#include "base/cpu.hpp"
#include "base/mutex.hpp"
#include "base/try.hpp"
#include "cut/algorithms.hpp"

namespace chunker {
namespace {

using Shared = std::shared_ptr<const ResolvedOptions>;

// Asked once: neither the processor nor a demand changes while the program runs.
const Result<cut::CutKernel>& kernel() {
  static const Result<cut::CutKernel> chosen = [] {
    const char* const demand = std::getenv("CHUNKER_CUT_KERNEL");
    return cut::choose_kernel(base::detect_cpu_features(), demand == nullptr ? "" : demand);
  }();
  return chosen;
}

Result<Shared> resolve_anew(const ChunkingOptions& options) {
  CHUNKER_TRY(const cut::Algorithm* const algorithm, cut::validated_algorithm(options.recipe));
  CHUNKER_TRY(const cut::CutKernel chosen, kernel());
  return std::make_shared<const ResolvedOptions>(std::make_unique<const ResolvedOptions::Parts>(
      ResolvedOptions::Parts{options.recipe, algorithm->make(options.recipe, chosen)}));
}

// The options resolved last. Few programs use more than one recipe, so looking through is quick; the bound
// is for a reader of foreign manifests, where every one may have its own.
class Memo {
 public:
  Result<Shared> find_or_make(const ChunkingOptions& options) CHUNKER_EXCLUDES(mutex_) {
    const base::Lock lock(mutex_);
    const auto known = std::ranges::find(entries_, options, &Entry::options);
    if (known != entries_.end()) return known->resolved;
    CHUNKER_TRY(Shared resolved, resolve_anew(options));
    if (entries_.size() == kEntriesMax) entries_.pop_front();
    entries_.push_back({options, resolved});
    return resolved;
  }

 private:
  static constexpr std::size_t kEntriesMax = 64;

  struct Entry {
    ChunkingOptions options;
    Shared resolved;
  };

  base::Mutex mutex_;
  std::deque<Entry> entries_ CHUNKER_GUARDED_BY(mutex_);
};

}  // namespace

ResolvedOptions::ResolvedOptions(std::unique_ptr<const Parts> parts) noexcept
    : parts_(std::move(parts)) {}

ResolvedOptions::~ResolvedOptions() = default;

const Recipe& ResolvedOptions::recipe() const noexcept { return parts_->recipe; }

Result<Shared> ChunkingOptions::resolve() const {
  static Memo memo;
  return memo.find_or_make(*this);
}

}  // namespace chunker
