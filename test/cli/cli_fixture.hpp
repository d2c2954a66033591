#pragma once

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "cli/program.hpp"
#include "support/nars.hpp"
#include "support/temporary_directory.hpp"

namespace chunker::test {

using Json = nlohmann::json;

/// The objects of JSON output, one a line; fails the test where a line is none.
inline std::vector<Json> objects_of(const std::string& text) {
  std::vector<Json> objects;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    objects.push_back(Json::parse(line, nullptr, false));
    EXPECT_TRUE(objects.back().is_object()) << line;
  }
  return objects;
}

/// The first object of this kind; null if there is none.
inline Json object_of_kind(const std::string& text, const std::string& kind) {
  for (const Json& object : objects_of(text)) {
    if (object.value("kind", "") == kind) return object;
  }
  return nullptr;
}

/// A directory to work in, with a store in it and the names of what it holds.
class CliTest : public testing::Test {
 protected:
  [[nodiscard]] std::filesystem::path path(const std::string& name) const {
    return directory_.path() / name;
  }
  [[nodiscard]] std::string store() const { return path("store"); }

  /// Runs the program in the directory.
  Outcome chunker(const std::vector<std::string>& arguments, Surroundings around = {}) const {
    around.directory = directory_.path();
    return run(arguments, around);
  }
  /// The same with --store.
  Outcome on_store(std::vector<std::string> arguments, Surroundings around = {}) const {
    around.environment.emplace_back("CHUNKER_STORE", store());
    return chunker(arguments, std::move(around));
  }

  /// Writes a NAR of about `bytes` into the directory; its bytes.
  std::string add_nar(const std::string& name, std::uint64_t seed = 1,
                      std::size_t bytes = 1 << 20) const {
    std::string nar =
        make_nar({{"bin", random_text(seed, bytes / 2)}, {"lib", random_bytes(seed, bytes / 2)}});
    write_file(path(name), nar);
    return nar;
  }
  void ingest(const std::string& name) const {
    const Outcome done = on_store({"ingest", "-q", name});
    ASSERT_EQ(done.exit, 0) << done.err;
  }

  TemporaryDirectory directory_;
};

}  // namespace chunker::test
