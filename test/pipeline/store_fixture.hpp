#pragma once

#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "chunker/ingest.hpp"
#include "chunker/maintain.hpp"
#include "chunker/restore.hpp"
#include "chunker/store.hpp"
#include "support/nars.hpp"
#include "support/temporary_directory.hpp"

namespace chunker::test {

/// Passes if `result` has a value, and otherwise says why not.
template <class T>
testing::AssertionResult is_ok(const Result<T>& result) {
  if (result) return testing::AssertionSuccess();
  return testing::AssertionFailure() << describe(result.error());
}

#define ASSERT_OK(result) ASSERT_TRUE(::chunker::test::is_ok(result))
#define EXPECT_OK(result) EXPECT_TRUE(::chunker::test::is_ok(result))

/// Small chunks, so that small NARs have many.
inline IngestOptions small_chunks() {
  IngestOptions options;
  options.chunking.recipe.min_bytes = 2048;
  options.chunking.recipe.avg_bytes = 8192;
  options.chunking.recipe.max_bytes = 32768;
  return options;
}

/// A store in a temporary directory, and NARs beside it.
class StoreFixture : public testing::Test {
 protected:
  Result<Store> open(StoreAccess access = StoreAccess::write) {
    options_.access = access;
    options_.create = access == StoreAccess::write;
    return Store::open(directory_.path() / "store", options_);
  }

  std::filesystem::path write_nar(const std::string& name, const std::string& nar) {
    const auto path = directory_.path() / name;
    write_file(path, nar);
    return path;
  }

  /// Ingests NARs given as name and bytes; what was reported is in `reported_`.
  Result<void> take_in(Store& store, const std::map<std::string, std::string>& nars,
                       IngestOptions options = small_chunks()) {
    std::vector<IngestSource> sources;
    for (const auto& [name, nar] : nars) {
      sources.push_back({IngestSource::Kind::nar_file, write_nar(name, nar), -1, {}});
    }
    reported_.clear();
    report_count_ = 0;
    return ingest(store, sources, options, [this](const auto& source, const auto& result) {
      ++report_count_;
      reported_.emplace(source.path.filename().string(), result);
    });
  }

  static Result<std::string> give_back(const Store& store, const std::string& name) {
    const auto found = store.find(name);
    if (!found) return std::unexpected(found.error());
    std::string nar;
    const auto restored = restore(store, found->nar_sha256, [&nar](Bytes bytes) -> Result<void> {
      nar.append(text_of(bytes));
      return {};
    });
    if (!restored) return std::unexpected(restored.error());
    return nar;
  }

  static void expect_clean(const Store& store) {
    std::vector<std::string> problems;
    const auto report = verify(store, {.content = true, .threads = 2},
                               [&](const Error& error) { problems.push_back(describe(error)); });
    ASSERT_OK(report);
    EXPECT_EQ(report->problems, 0U) << problems.front();
    EXPECT_EQ(report->nars_damaged, 0U);
  }

  /// Every blob of the store, largest first.
  std::vector<std::filesystem::path> packs() const {
    std::vector<std::filesystem::path> found;
    for (const char* folder : {"packs", "chunks"}) {
      const auto root = directory_.path() / "store" / folder;
      if (!std::filesystem::exists(root)) continue;
      for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
        if (entry.is_regular_file()) found.push_back(entry.path());
      }
    }
    std::ranges::sort(found, [](const auto& a, const auto& b) {
      return std::filesystem::file_size(a) > std::filesystem::file_size(b);
    });
    return found;
  }

  TemporaryDirectory directory_;
  StoreOptions options_;
  std::map<std::string, Result<IngestedNar>> reported_;
  std::size_t report_count_ = 0;
};

}  // namespace chunker::test
