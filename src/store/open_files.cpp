#include "store/open_files.hpp"

#include "base/try.hpp"

namespace chunker::store {

std::shared_ptr<const resource::File> OpenFiles::find(std::string_view key) {
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, found->second);
  return found->second->file;
}

Result<std::shared_ptr<const resource::File>> OpenFiles::open(std::string_view key,
                                                              const std::filesystem::path& path) {
  std::uint64_t forget_count_before = 0;
  {
    const base::Lock lock(mutex_);
    if (auto file = find(key)) return file;
    forget_count_before = forget_count_;
  }
  CHUNKER_TRY(resource::File opened, resource::File::open_read(path));
  auto file = std::make_shared<const resource::File>(std::move(opened));

  const base::Lock lock(mutex_);
  if (auto winner = find(key)) return winner;
  // Something was replaced while we opened: this may be the file from before, good for this once only.
  if (forget_count_ != forget_count_before) return file;
  entries_.push_front(Entry{std::string(key), file});
  by_key_.emplace(entries_.front().key, entries_.begin());
  if (entries_.size() > files_max_) {
    by_key_.erase(entries_.back().key);
    entries_.pop_back();
  }
  return file;
}

void OpenFiles::forget(std::string_view key) {
  const base::Lock lock(mutex_);
  ++forget_count_;
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return;
  const Entries::iterator entry = found->second;
  by_key_.erase(found);
  entries_.erase(entry);
}

}  // namespace chunker::store
