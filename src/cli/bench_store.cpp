#include "cli/bench_store.hpp"

#include <cerrno>
#include <cstdlib>
#include <memory>
#include <optional>
#include <utility>

#include "base/try.hpp"
#include "chunker/ingest.hpp"
#include "chunker/restore.hpp"
#include "resource/file.hpp"

namespace chunker::cli {
namespace {

namespace fs = std::filesystem;

Result<void> remove_tree(const fs::path& path) {
  std::error_code error;
  fs::remove_all(path, error);
  if (!error) return {};
  return std::unexpected(resource::system_error(error.value(), "cannot remove", path));
}

/// NARs that go into a store and come back.
class RoundTrip {
 public:
  RoundTrip(std::vector<IngestSource> sources, fs::path directory, StoreBench bench)
      : sources_(std::move(sources)), directory_(std::move(directory)), bench_(std::move(bench)) {}

  Result<void> open_new_store() {
    store_.reset();
    CHUNKER_TRY_VOID(remove_tree(directory_ / "store"));
    StoreOptions options;
    options.access = StoreAccess::write;
    options.create = true;
    CHUNKER_TRY(store_, Store::open(directory_ / "store", options));
    return {};
  }

  Result<void> ingest_all() {
    IngestOptions options;
    options.chunking = bench_.chunking;
    options.threads = bench_.threads;
    options.stop = bench_.stop;
    jobs_.clear();
    std::optional<Error> error;
    CHUNKER_TRY_VOID(ingest(*store_, sources_, options,
                            [&](const IngestSource&, const Result<IngestedNar>& result) {
                              if (!result) error = result.error();
                              if (result) add_job(result->nar_sha256);
                            }));
    return error ? Result<void>(std::unexpected(*error)) : Result<void>();
  }

  Result<void> remove_files() {
    CHUNKER_TRY_VOID(remove_tree(directory_ / "out"));
    CHUNKER_TRY([[maybe_unused]] const bool made, resource::make_directory(directory_ / "out"));
    return {};
  }

  Result<void> restore_all() {
    std::optional<Error> error;
    CHUNKER_TRY_VOID(restore_many(*store_, jobs_, {.threads = bench_.threads, .stop = bench_.stop},
                                  [&](const RestoreJob&, const Result<void>& result) {
                                    if (!result) error = result.error();
                                  }));
    return error ? Result<void>(std::unexpected(*error)) : Result<void>();
  }

 private:
  void add_job(const Digest& nar_sha256) {
    jobs_.push_back({nar_sha256, directory_ / "out" / std::to_string(jobs_.size())});
  }

  std::vector<IngestSource> sources_;
  fs::path directory_;
  StoreBench bench_;
  std::optional<Store> store_;
  std::vector<RestoreJob> jobs_;
};

Result<std::vector<IngestSource>> sources_of(const BenchContent& content,
                                             const fs::path& directory) {
  std::vector<IngestSource> sources;
  for (std::size_t i = 0; i < content.nars.size(); ++i) {
    // Content of users is read from their files again, as ingest would.
    fs::path path = content.names[i];
    if (content.is_made_up) {
      path = directory / content.names[i];
      CHUNKER_TRY(auto file, resource::File::create_new(path));
      CHUNKER_TRY_VOID(file.write_all(content.nars[i]));
      CHUNKER_TRY_VOID(file.close());
    }
    IngestSource source;
    source.path = std::move(path);
    sources.push_back(std::move(source));
  }
  return sources;
}

}  // namespace

Result<BenchDirectory> BenchDirectory::make(const fs::path& parent) {
  std::string path = parent / "chunker-bench-XXXXXX";
  if (::mkdtemp(path.data()) == nullptr) {
    return std::unexpected(
        resource::system_error(errno, "cannot make a directory to measure in", parent));
  }
  return BenchDirectory(path);
}

BenchDirectory::~BenchDirectory() {
  std::error_code ignored;
  if (!path_.empty()) fs::remove_all(path_, ignored);
}

Result<std::vector<BenchWay>> store_ways(const BenchContent& content,
                                         const BenchDirectory& directory, const StoreBench& bench) {
  CHUNKER_TRY(auto sources, sources_of(content, directory.path()));
  const auto trip = std::make_shared<RoundTrip>(std::move(sources), directory.path(), bench);
  return std::vector<BenchWay>{
      {"ingest", "new", [trip] { return trip->ingest_all(); },
       [trip] { return trip->open_new_store(); }},
      {"ingest", "known", [trip] { return trip->ingest_all(); }},
      {"restore", "into files", [trip] { return trip->restore_all(); },
       [trip] { return trip->remove_files(); }},
  };
}

}  // namespace chunker::cli
