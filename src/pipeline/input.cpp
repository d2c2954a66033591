#include "pipeline/input.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <optional>
#include <stop_token>
#include <system_error>
#include <thread>
#include <utility>

#include "base/catching.hpp"
#include "base/mutex.hpp"
#include "base/try.hpp"
#include "chunker/nar_tree.hpp"
#include "resource/descent.hpp"
#include "resource/file.hpp"

namespace chunker::pipeline {
namespace {

class FileInput final : public Input {
 public:
  enum class Ownership : std::uint8_t { ours, callers };

  FileInput(resource::File file, Ownership ownership, std::stop_token stop)
      : file_(std::move(file)), ownership_(ownership), stop_(std::move(stop)) {}
  ~FileInput() override {
    if (ownership_ == Ownership::callers) (void)file_.release();
  }

  Result<std::size_t> read(MutableBytes out) override {
    std::size_t filled = 0;
    while (filled < out.size()) {
      CHUNKER_TRY_VOID(file_.wait_readable(stop_));
      CHUNKER_TRY(const std::size_t count, file_.read_some(out.subspan(filled), stop_));
      if (count == 0) break;
      filled += count;
    }
    return filled;
  }

 private:
  resource::File file_;
  Ownership ownership_;
  std::stop_token stop_;
};

/// dump_tree() pushes, a pipeline pulls: a thread and one buffer between them turn one into the other.
class TreeInput final : public Input {
 public:
  explicit TreeInput(std::filesystem::path path)
      : thread_([this, path = std::move(path)](const std::stop_token& stop) { dump(path, stop); }) {
  }

  ~TreeInput() override {
    thread_.request_stop();
    {
      const base::Lock lock(mutex_);
      stopped_ = true;
    }
    changed_.notify_all();
  }

  Result<std::size_t> read(MutableBytes out) override {
    std::size_t filled = 0;
    const base::Lock lock(mutex_);
    while (filled < out.size()) {
      while (ready_.empty() && !ended_) changed_.wait(mutex_);
      if (ready_.empty()) {
        if (!ended_->has_value()) return std::unexpected(ended_->error());
        break;
      }
      const std::size_t count = std::min(ready_.size(), out.size() - filled);
      std::memcpy(out.data() + filled, ready_.data(), count);
      ready_ = ready_.subspan(count);
      filled += count;
      if (ready_.empty()) changed_.notify_all();
    }
    return filled;
  }

 private:
  void dump(const std::filesystem::path& path, const std::stop_token& stop) {
    const auto hand_over = [&](Bytes piece) -> Result<void> {
      const base::Lock lock(mutex_);
      ready_ = piece;
      changed_.notify_all();
      while (!ready_.empty() && !stopped_) changed_.wait(mutex_);
      if (stopped_ || stop.stop_requested()) {
        return base::fail(ErrorCode::cancelled, "the reader of the tree has stopped");
      }
      return {};
    };
    auto result = base::catching([&] { return dump_tree(path, hand_over); });
    const base::Lock lock(mutex_);
    ready_ = {};
    ended_ = std::move(result);
    changed_.notify_all();
  }

  base::Mutex mutex_;
  base::Condition changed_;
  Bytes ready_ CHUNKER_GUARDED_BY(mutex_);  ///< Borrowed from dump_tree() until it is used up.
  std::optional<Result<void>> ended_ CHUNKER_GUARDED_BY(mutex_);
  bool stopped_ CHUNKER_GUARDED_BY(mutex_) = false;
  std::jthread thread_;  ///< Last: it uses all of the above.
};

Result<std::unique_ptr<Input>> open_file(const std::filesystem::path& path, std::stop_token stop) {
  auto file = resource::File::open_read(path, stop);
  std::error_code unknown;
  if (!file && std::filesystem::is_directory(path, unknown)) {
    return base::fail(ErrorCode::nar_bad_magic, "this is a directory, not a NAR", Error::kNoOffset,
                      path.string());
  }
  if (!file) return std::unexpected(std::move(file).error());
  return std::make_unique<FileInput>(*std::move(file), FileInput::Ownership::ours, std::move(stop));
}

}  // namespace

Result<std::unique_ptr<Input>> open_input(const IngestSource& source, std::stop_token stop) {
  switch (source.kind) {
    case IngestSource::Kind::nar_file:
      return open_file(source.path, std::move(stop));
    case IngestSource::Kind::tree:
      return std::make_unique<TreeInput>(source.path);
    case IngestSource::Kind::file_descriptor:
      return std::make_unique<FileInput>(resource::File::adopt(source.descriptor, label(source)),
                                         FileInput::Ownership::callers, std::move(stop));
  }
  return base::fail(ErrorCode::invalid_argument, "this kind of source does not exist");
}

std::size_t descriptors_of(const IngestSource& source) noexcept {
  return source.kind == IngestSource::Kind::tree ? resource::Descent::kDescriptorsMax : 1;
}

std::string name_of(const IngestSource& source) {
  return source.name.empty() ? source.path.filename().string() : source.name;
}

std::string label(const IngestSource& source) {
  if (!source.path.empty()) return source.path.string();
  if (!source.name.empty()) return source.name;
  return "standard input";
}

}  // namespace chunker::pipeline
