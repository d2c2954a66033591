#include <sys/stat.h>

#include <filesystem>
#include <tuple>
#include <unordered_map>

#include "chunker/digest.hpp"
#include "chunker/hash.hpp"
#include "cli/cli_fixture.hpp"
#include "sign/base64.hpp"

namespace chunker::test {
namespace {

namespace fs = std::filesystem;

class CliRestore : public CliTest {
 protected:
  void SetUp() override {
    a_ = add_nar("a.nar", 1);
    b_ = add_nar("b.nar", 2);
    ingest("a.nar");
    ingest("b.nar");
  }

  std::string a_;
  std::string b_;
};

TEST_F(CliRestore, ByNameWithOrWithoutItsEnding) {
  for (const char* name : {"a.nar", "a"}) {
    EXPECT_EQ(on_store({"restore", name, "-o", "-"}).out, a_) << name;
  }
}

TEST_F(CliRestore, ByHashInAnySpelling) {
  const Json nar = object_of_kind(on_store({"list", "--json"}).out, "nar");
  const std::string hex = nar.at("nar_sha256");
  std::string sri = "sha256-" + std::string(sign::base64_characters(Digest::kBytes), ' ');
  sign::to_base64(Digest::from_hex(hex).value().view(),
                  std::as_writable_bytes(std::span(sri).subspan(7)));
  for (const std::string& hash :
       {hex, hex.substr(0, 8), "sha256:" + hex, nar.at("nar_hash").get<std::string>(), sri}) {
    const Outcome restored = on_store({"restore", hash, "-o", "-"});
    EXPECT_EQ(restored.exit, 0) << hash << restored.err;
    EXPECT_EQ(restored.out, a_) << hash;
  }
}

TEST_F(CliRestore, WithoutAnOutputIntoAFileOfItsNameThatIsNotThereYet) {
  fs::create_directory(path("here"));
  const Outcome restored = run({"restore", "--store", store(), "a"}, {.directory = path("here")});
  EXPECT_EQ(restored.exit, 0) << restored.err;
  EXPECT_EQ(read_file(path("here/a.nar")), a_);
  write_file(path("here/b.nar"), "mine");
  const Outcome refused = run({"restore", "--store", store(), "b"}, {.directory = path("here")});
  EXPECT_EQ(refused.exit, 1);
  EXPECT_NE(refused.err.find("-o FILE to replace it"), std::string::npos) << refused.err;
  EXPECT_EQ(read_file(path("here/b.nar")), "mine");
}

TEST_F(CliRestore, ANameThatNoFileCanHaveIsRestoredUnderAnother) {
  const std::string name(300, 'n');
  const std::string nar = add_nar("long.nar", 7);
  ASSERT_EQ(on_store({"ingest", "-q", "--name", name, "long.nar"}).exit, 0);
  const Outcome refused = on_store({"restore", name});
  EXPECT_EQ(refused.exit, 1);
  EXPECT_NE(refused.err.find("give a shorter one"), std::string::npos) << refused.err;
  EXPECT_EQ(refused.err.find("look into its log"), std::string::npos) << refused.err;
  EXPECT_EQ(on_store({"restore", name, "-o", "short"}).exit, 0);
  EXPECT_EQ(read_file(path("short")), nar);
}

TEST_F(CliRestore, AnOutputThatIsNamedIsReplaced) {
  write_file(path("out"), "before");
  EXPECT_EQ(on_store({"restore", "a", "-o", "out"}).exit, 0);
  EXPECT_EQ(read_file(path("out")), a_);
  const Json object =
      object_of_kind(on_store({"restore", "b", "-o", "out", "--json"}).out, "restored");
  EXPECT_EQ(object.at("name"), "b.nar");
  EXPECT_EQ(object.at("path"), "out");
  EXPECT_EQ(read_file(path("out")), b_);
}

TEST_F(CliRestore, PipesAndDevicesAreWrittenToAndStay) {
  ASSERT_EQ(::mkfifo(path("pipe").c_str(), 0600), 0);
  Running reader({"nar", "check", path("pipe")});
  EXPECT_EQ(on_store({"restore", "a", "-o", "pipe"}).exit, 0);
  EXPECT_EQ(reader.finish().exit, 0);
  EXPECT_TRUE(fs::is_fifo(path("pipe")));
}

TEST_F(CliRestore, EverythingIntoADirectory) {
  const Outcome done = on_store({"restore", "--all", "--output-dir", "deep/out", "--json"});
  EXPECT_EQ(done.exit, 0) << done.err;
  EXPECT_EQ(read_file(path("deep/out/a.nar")), a_);
  EXPECT_EQ(read_file(path("deep/out/b.nar")), b_);
  const Json sum = object_of_kind(done.out, "summary");
  EXPECT_EQ(sum.at("nars"), 2);
  EXPECT_EQ(sum.at("failed"), 0);
  EXPECT_EQ(sum.at("bytes"), a_.size() + b_.size());
  EXPECT_EQ(object_of_kind(done.out, "restored").at("nar_sha256").get<std::string>().size(), 64U);
}

TEST_F(CliRestore, SeveralNamesAndOneUnknown) {
  const Outcome done = on_store({"restore", "a", "none", "b.nar", "a.nar", "--output-dir", "out"});
  EXPECT_EQ(done.exit, 1);
  EXPECT_NE(done.err.find("chunker: none: "), std::string::npos) << done.err;
  EXPECT_NE(done.err.find("(store_not_found)\n  `chunker list` shows"), std::string::npos)
      << done.err;
  EXPECT_EQ(read_file(path("out/a.nar")), a_);
  EXPECT_EQ(read_file(path("out/b.nar")), b_);
  EXPECT_NE(done.out.find("2 NARs"), std::string::npos) << done.out;
  EXPECT_NE(done.out.find("1 failed"), std::string::npos) << done.out;
}

TEST_F(CliRestore, TreesComeBackAsTrees) {
  const Outcome done = on_store({"restore", "a", "--tree", "-o", "tree"});
  EXPECT_EQ(done.exit, 0) << done.err;
  EXPECT_EQ(chunker({"nar", "dump", "tree"}).out, a_);
  EXPECT_EQ(on_store({"restore", "--all", "--tree", "--output-dir", "trees"}).exit, 0);
  EXPECT_EQ(chunker({"nar", "dump", "trees/b"}).out, b_);
  const Outcome refused = on_store({"restore", "b", "--tree", "-o", "tree"});
  EXPECT_EQ(refused.exit, 1);
  EXPECT_NE(refused.err.find("(nar_unsafe_target)"), std::string::npos) << refused.err;
}

TEST_F(CliRestore, WhatCannotBeMeantIsSaid) {
  const std::vector<std::vector<std::string>> mistakes{
      {"restore"},
      {"restore", "--all"},
      {"restore", "--all", "a", "--output-dir", "out"},
      {"restore", "a", "b", "-o", "x"},
      {"restore", "a", "-o", "x", "--output-dir", "out"},
      {"restore", "a", "--tree", "-o", "-"},
  };
  for (const auto& mistake : mistakes) EXPECT_EQ(on_store(mistake).exit, 2) << mistake.back();
}

// Two NARs whose SHA-256 begin with the same 8 digits, and these digits: 32 bits, so that some 2^17 tries
// hold such a pair.
std::tuple<std::string, std::string, std::string> nars_alike() {
  const HashAlgorithm sha256 = HashAlgorithm::sha256();
  std::string nar = make_nar({{"file", "00000000"}});
  const std::size_t place = nar.find("00000000");
  std::unordered_map<std::string, std::string> seen;
  for (int number = 10000000; number < 11000000; ++number) {
    nar.replace(place, 8, std::to_string(number));
    const std::string digits = sha256.hash(bytes_of(nar)).hex().substr(0, 8);
    const auto [known, first] = seen.emplace(digits, nar);
    if (!first) return {digits, known->second, nar};
  }
  return {};
}

TEST_F(CliRestore, AnAmbiguousHashIsNotGuessed) {
  const auto [digits, one, other] = nars_alike();
  ASSERT_EQ(digits.size(), 8U);
  ASSERT_EQ(on_store({"ingest", "-q", "--name", "one", "-"}, {.input = one}).exit, 0);
  EXPECT_EQ(on_store({"restore", digits, "-o", "-"}).out, one);
  ASSERT_EQ(on_store({"ingest", "-q", "--name", "other", "-"}, {.input = other}).exit, 0);
  const Outcome refused = on_store({"restore", digits, "-o", "-"});
  EXPECT_EQ(refused.exit, 1);
  EXPECT_EQ(refused.out, "");
  EXPECT_NE(refused.err.find("(store_ambiguous_name)\n  Give more digits"), std::string::npos)
      << refused.err;
  EXPECT_EQ(on_store({"restore", "other", "-o", "-"}).out, other);
}

TEST_F(CliRestore, ATooShortOrUnknownHashIsNotFound) {
  for (const char* hash : {"0123456", "0123456789abcdef", "sha256:00"}) {
    const Outcome outcome = on_store({"restore", hash, "-o", "-"});
    EXPECT_EQ(outcome.exit, 1) << hash;
    EXPECT_EQ(outcome.out, "");
    EXPECT_NE(outcome.err.find("(store_not_found)"), std::string::npos) << outcome.err;
  }
}

TEST_F(CliRestore, AReaderThatLeavesEndsItQuietly) {
  const Outcome done = on_store({"restore", "a", "-o", "-"}, {.output_closed = true});
  EXPECT_EQ(done.exit, 141);
  EXPECT_EQ(done.err, "");
}

TEST_F(CliRestore, AFullDeviceIsAnError) {
  for (const auto& [arguments, around] :
       std::vector<std::pair<std::vector<std::string>, Surroundings>>{
           {{"restore", "a", "-o", "-"}, {.output = "/dev/full"}},
           {{"restore", "a", "-o", "/dev/full"}, {}},
           {{"list"}, {.output = "/dev/full"}},
           {{"stats", "--json"}, {.output = "/dev/full"}}}) {
    const Outcome done = on_store(arguments, around);
    EXPECT_EQ(done.exit, 75) << arguments.front();
    EXPECT_NE(done.err.find("(io_no_space)"), std::string::npos) << done.err;
  }
}

TEST_F(CliRestore, AReadOnlyStoreCanBeRead) {
  for (const auto& entry : fs::recursive_directory_iterator(store())) {
    fs::permissions(entry.path(), fs::perms::owner_write, fs::perm_options::remove);
  }
  fs::permissions(store(), fs::perms::owner_write, fs::perm_options::remove);
  const Surroundings around{.obeys_permissions = true};
  EXPECT_EQ(on_store({"restore", "a", "-o", "-"}, around).out, a_);
  EXPECT_EQ(on_store({"list", "--names"}, around).out, "a.nar\nb.nar\n");
  EXPECT_EQ(on_store({"stats"}, around).exit, 0);
  const Outcome verified = on_store({"verify", "--content"}, around);
  EXPECT_EQ(verified.exit, 0) << verified.err;
  const Outcome refused = on_store({"remove", "a"}, around);
  EXPECT_EQ(refused.exit, 1);
  EXPECT_NE(refused.err.find("(io_permission)"), std::string::npos) << refused.err;
  for (const auto& entry : fs::recursive_directory_iterator(store())) {
    fs::permissions(entry.path(), fs::perms::owner_write, fs::perm_options::add);
  }
}

}  // namespace
}  // namespace chunker::test
