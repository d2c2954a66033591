#include <sys/resource.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>

#include "cli/cli_fixture.hpp"

namespace chunker::test {
namespace {

namespace fs = std::filesystem;

class CliQuota : public CliTest {
 protected:
  std::vector<std::string> add_nars(std::size_t count) const {
    std::vector<std::string> names;
    for (std::size_t i = 0; i < count; ++i) {
      names.push_back("n" + std::to_string(i) + ".nar");
      add_nar(names.back(), i);
    }
    return names;
  }

  /// An ingest that stops soon and remembers what it did.
  Outcome ingest_a_while(const std::vector<std::string>& names,
                         const std::string& seconds = "0.001") const {
    std::vector<std::string> words{"ingest",           "--json", "--threads",    "2",
                                   "--cpu-time-limit", seconds,  "--checkpoint", "to-do"};
    words.insert(words.end(), names.begin(), names.end());
    return on_store(words);
  }

  [[nodiscard]] std::set<std::string> listed() const {
    std::set<std::string> names;
    for (const Json& nar : objects_of(on_store({"list", "--json"}).out)) names.insert(nar["name"]);
    return names;
  }
};

TEST_F(CliQuota, R10_4_ItStopsInTimeAndTheSameCommandGoesOn) {
  const auto names = add_nars(8);
  std::size_t stored = 0;
  int runs = 0;
  for (bool done = false; !done; ++runs) {
    ASSERT_LE(runs, 8);
    const Outcome run = ingest_a_while(names);
    const Json sum = object_of_kind(run.out, "summary");
    EXPECT_EQ(sum.at("skipped"), stored);
    EXPECT_EQ(sum.at("cpu_time_limit_seconds"), 0.001);
    EXPECT_GT(sum.at("nars"), 0) << "every run comes closer to the end";
    stored += sum.at("nars").get<std::size_t>();
    EXPECT_EQ(stored + sum.at("not_reached").get<std::size_t>(), names.size());
    EXPECT_EQ(listed().size(), stored) << "what is reported is stored";
    done = stored == names.size();
    EXPECT_EQ(sum.at("cpu_time_limit_exceeded"), !done);
    EXPECT_EQ(run.exit, done ? 0 : 75);
    EXPECT_EQ(fs::exists(path("to-do")), !done);
    const Json error = object_of_kind(run.out, "error");
    EXPECT_EQ(error.is_null() ? "" : error.at("code"), done ? "" : "cpu_time_limit_exceeded");
  }
  EXPECT_GT(runs, 1);
  EXPECT_EQ(on_store({"verify", "--content"}).exit, 0);
}

TEST_F(CliQuota, R10_4_PeopleAreToldHowToGoOn) {
  add_nars(4);
  const Outcome run = on_store({"ingest", "--cpu-time-limit", "0.001", "--threads", "1", "n0.nar",
                                "n1.nar", "n2.nar", "n3.nar"});
  EXPECT_EQ(run.exit, 75);
  EXPECT_NE(run.out.find(" not reached"), std::string::npos) << run.out;
  EXPECT_NE(run.err.find("(cpu_time_limit_exceeded)"), std::string::npos) << run.err;
  EXPECT_NE(run.err.find("to go on"), std::string::npos) << run.err;
}

TEST_F(CliQuota, ACheckpointSkipsNothingThatChangedOrIsGone) {
  // The last one fails, so that the checkpoint stays.
  auto names = add_nars(4);
  write_file(path("bad.nar"), "this is no NAR");
  names.emplace_back("bad.nar");
  EXPECT_EQ(ingest_a_while(names, "1000").exit, 1);
  EXPECT_EQ(object_of_kind(ingest_a_while(names, "1000").out, "summary").at("skipped"), 4);
  // Other contents of the same size, and the time set back.
  const auto time = fs::last_write_time(path("n1.nar"));
  const auto size = fs::file_size(path("n1.nar"));
  add_nar("n1.nar", 77);
  ASSERT_EQ(fs::file_size(path("n1.nar")), size);
  fs::last_write_time(path("n1.nar"), time);
  // The same contents, but who knows.
  fs::last_write_time(path("n2.nar"), fs::file_time_type::clock::now());
  // No longer in the store.
  EXPECT_EQ(on_store({"remove", "n3.nar"}).exit, 0);
  const Outcome again = ingest_a_while(names, "1000");
  EXPECT_EQ(object_of_kind(again.out, "summary").at("skipped"), 1);
  EXPECT_EQ(object_of_kind(again.out, "summary").at("nars"), 3);
  EXPECT_TRUE(listed().contains("n3.nar"));
}

TEST_F(CliQuota, ACheckpointDoesNotKeepTheStoreFromBeingHealed) {
  auto names = add_nars(3);
  write_file(path("bad.nar"), "this is no NAR");
  names.emplace_back("bad.nar");
  EXPECT_EQ(ingest_a_while(names, "1000").exit, 1);
  for (const auto& entry : fs::recursive_directory_iterator(store() + "/packs")) {
    if (!entry.is_regular_file()) continue;
    std::string pack = read_file(entry.path());
    pack[pack.size() / 3] ^= 1;
    write_file(entry.path(), pack);
  }
  EXPECT_EQ(on_store({"verify", "--content", "--repair"}).exit, 1);
  const Json sum = object_of_kind(ingest_a_while(names, "1000").out, "summary");
  EXPECT_GT(sum.at("nars"), 0) << "what lost a chunk is stored anew";
  EXPECT_EQ(on_store({"verify", "--content"}).exit, 0);
}

TEST_F(CliQuota, ACheckpointOfAnotherStoreSkipsNothing) {
  const auto names = add_nars(3);
  EXPECT_EQ(ingest_a_while(names).exit, 75);
  fs::remove_all(store());
  const Outcome run = ingest_a_while(names, "1000");
  EXPECT_EQ(run.exit, 0);
  EXPECT_EQ(object_of_kind(run.out, "summary").at("skipped"), 0);
  EXPECT_EQ(listed().size(), 3U);
}

TEST_F(CliQuota, ACheckpointThatWasCutOffStillServes) {
  const auto names = add_nars(2);
  write_file(path("bad.nar"), "this is no NAR");
  EXPECT_EQ(ingest_a_while({"n0.nar", "n1.nar", "bad.nar"}, "1000").exit, 1);
  fs::resize_file(path("to-do"), fs::file_size(path("to-do")) - 3);
  const auto skipped = [&] {
    return object_of_kind(ingest_a_while({"n0.nar", "n1.nar", "bad.nar"}, "1000").out, "summary")
        .at("skipped");
  };
  EXPECT_EQ(skipped(), 1);
  EXPECT_EQ(skipped(), 2);
}

TEST_F(CliQuota, WhatIsNoCheckpointIsLeftAlone) {
  add_nars(1);
  write_file(path("to-do"), "buy milk\n");
  EXPECT_EQ(ingest_a_while({"n0.nar"}).exit, 2);
  EXPECT_EQ(fs::file_size(path("to-do")), 9U);
  fs::create_directory(path("folder"));
  EXPECT_EQ(on_store({"ingest", "--checkpoint", "folder", "n0.nar"}).exit, 2);
  fs::create_symlink("/dev/null", path("device"));
  EXPECT_EQ(on_store({"ingest", "--checkpoint", "device", "n0.nar"}).exit, 2);
  EXPECT_TRUE(fs::is_symlink(path("device"))) << "it was removed";
}

TEST_F(CliQuota, AnEmptyFileIsNoCheckpoint) {
  add_nars(2);
  ingest("n0.nar");
  for (const std::string& file : {store() + "/lock", path("empty").string()}) {
    std::ofstream(file, std::ios::app).close();
    ASSERT_EQ(fs::file_size(file), 0U);
    const Outcome run = on_store({"ingest", "--checkpoint", file, "n1.nar"});
    EXPECT_EQ(run.exit, 2);
    EXPECT_NE(run.err.find("is no checkpoint"), std::string::npos) << run.err;
    EXPECT_TRUE(fs::exists(file)) << file;
    EXPECT_EQ(fs::file_size(file), 0U) << file;
  }
  EXPECT_EQ(listed().size(), 1U);
}

TEST_F(CliQuota, ALinkIsNoCheckpoint) {
  const auto names = add_nars(4);
  EXPECT_EQ(ingest_a_while(names).exit, 75);
  const std::string before = read_file(path("to-do"));
  fs::create_symlink("to-do", path("link"));
  fs::create_symlink("nowhere", path("dangling"));
  for (const char* link : {"link", "dangling"}) {
    EXPECT_EQ(on_store({"ingest", "--checkpoint", link, "n0.nar"}).exit, 2);
    EXPECT_TRUE(fs::is_symlink(path(link))) << "it was removed";
  }
  EXPECT_EQ(read_file(path("to-do")), before);
  EXPECT_FALSE(fs::exists(path("nowhere")));
}

TEST_F(CliQuota, ACheckpointIsThereWithItsFirstLineOrNotAtAll) {
  add_nars(1);
  const auto before = std::distance(fs::directory_iterator(directory_.path()), {});
  const Outcome run =
      on_store({"ingest", "--checkpoint", "to-do", "n0.nar"}, {.limits = {{RLIMIT_FSIZE, 10}}});
  EXPECT_EQ(run.exit, 75) << run.err;
  EXPECT_FALSE(fs::exists(path("to-do")));
  EXPECT_EQ(std::distance(fs::directory_iterator(directory_.path()), {}), before)
      << "nor half of one";
}

TEST_F(CliQuota, ACheckpointIsForFilesAndSaysSo) {
  const auto names = add_nars(1);
  fs::create_directory(path("tree"));
  write_file(path("list"), "n0.nar\n-\n");
  for (const std::vector<std::string>& sources :
       {std::vector<std::string>{"--tree", "tree"}, {"n0.nar", "-"}, {"--files-from", "list"}}) {
    std::vector<std::string> arguments{"ingest", "--checkpoint", "to-do"};
    arguments.insert(arguments.end(), sources.begin(), sources.end());
    const Outcome refused = on_store(arguments);
    EXPECT_EQ(refused.exit, 2) << sources.back();
    EXPECT_NE(refused.err.find("neither with --tree nor with standard input"), std::string::npos);
  }
  EXPECT_NE(chunker({"ingest", "--help"}).out.find("neither with --tree"), std::string::npos);
}

TEST_F(CliQuota, ACheckpointThatCannotBeWrittenIsToldAndStopsNothing) {
  constexpr std::size_t kLimit = 8 << 20;
  const auto names = add_nars(3);
  const std::string header = "chunker checkpoint 1\n";
  const auto ingest_below_limit = [&](std::size_t room) {
    write_file(path("to-do"), header + std::string(kLimit - room - header.size() - 1, 'x') + "\n");
    return on_store({"ingest", "--checkpoint", "to-do", "n0.nar", "n1.nar", "n2.nar"},
                    {.limits = {{RLIMIT_FSIZE, kLimit}}});
  };
  const Outcome full = ingest_below_limit(0);
  EXPECT_EQ(full.exit, 75);
  EXPECT_NE(full.err.find("to-do: cannot write the checkpoint: "), std::string::npos) << full.err;
  const Outcome almost = ingest_below_limit(50);
  EXPECT_EQ(almost.exit, 0) << almost.err;
  EXPECT_NE(almost.err.find("is not remembered"), std::string::npos) << almost.err;
  EXPECT_EQ(almost.err.find("is not remembered"), almost.err.rfind("is not remembered"));
  EXPECT_EQ(listed().size(), names.size());
}

TEST_F(CliQuota, R10_4_CutStopsToo) {
  const auto names = add_nars(6);
  std::vector<std::string> words{"cut", "--json", "--threads", "1", "--cpu-time-limit", "0.001"};
  words.insert(words.end(), names.begin(), names.end());
  const Outcome run = chunker(words);
  EXPECT_EQ(run.exit, 75);
  EXPECT_FALSE(object_of_kind(run.out, "file").is_null());
  std::vector<Json> errors = objects_of(run.out);
  std::erase_if(errors, [](const Json& object) { return object.at("kind") != "error"; });
  ASSERT_EQ(errors.size(), 1U) << "one is enough for all files";
  EXPECT_EQ(errors.front().at("code"), "cpu_time_limit_exceeded");
  EXPECT_NE(run.err.find(" files not done"), std::string::npos) << run.err;
}

TEST_F(CliQuota, R10_4_RestoreStopsInTimeAndSaysWhatItDidNotReach) {
  for (const auto& name : add_nars(8)) ingest(name);
  for (const bool tree : {false, true}) {
    const std::string directory = tree ? "trees" : "files";
    std::vector<std::string> words{"restore", "--json",    "--all", "--output-dir",
                                   directory, "--threads", "2",     "--cpu-time-limit",
                                   "0.001"};
    if (tree) words.emplace_back("--tree");
    const Outcome run = on_store(words);
    EXPECT_EQ(run.exit, 75) << run.err;
    const Json sum = object_of_kind(run.out, "summary");
    EXPECT_GE(sum.at("nars"), 1);
    EXPECT_GE(sum.at("not_reached"), 1);
    EXPECT_EQ(sum.at("nars").get<int>() + sum.at("not_reached").get<int>(), 8);
    EXPECT_EQ(sum.at("failed"), 0);
    EXPECT_EQ(sum.at("cpu_time_limit_seconds"), 0.001);
    EXPECT_EQ(sum.at("cpu_time_limit_exceeded"), true);
    EXPECT_EQ(object_of_kind(run.out, "error").at("code"), "cpu_time_limit_exceeded");
    const auto is_there = [&](const auto& entry) {
      return !entry.path().filename().string().starts_with('.');
    };
    const fs::directory_iterator files(path(directory));
    EXPECT_EQ(std::count_if(begin(files), end(files), is_there), sum.at("nars"));
  }
  EXPECT_EQ(on_store({"restore", "--cpu-time-limit", "0.001", "n3", "-o", "one"}).exit, 0);
  EXPECT_EQ(read_file(path("one")), read_file(path("n3.nar")));
}

TEST_F(CliQuota, R10_4_VerifyStopsInTimeAndSaysWhatItDidNotReach) {
  for (const auto& name : add_nars(8)) ingest(name);
  const Outcome run = on_store({"verify", "--content", "--json", "--cpu-time-limit", "0.001"});
  EXPECT_EQ(run.exit, 75) << run.err;
  const Json sum = object_of_kind(run.out, "summary");
  EXPECT_EQ(sum.at("ok"), false);
  EXPECT_EQ(sum.at("problems"), 0);
  EXPECT_EQ(sum.at("cpu_time_limit_exceeded"), true);
  EXPECT_GE(sum.at("packs"), 1);
  EXPECT_EQ(sum.at("packs").get<int>() + sum.at("packs_not_reached").get<int>(), 8);
  EXPECT_EQ(sum.at("nars_not_reached"), 8);
  const Outcome told = on_store({"verify", "--content", "--cpu-time-limit", "0.001"});
  EXPECT_NE(told.out.find("; not reached: "), std::string::npos) << told.out;
  const Json whole = object_of_kind(
      on_store({"verify", "--content", "--json", "--cpu-time-limit", "1000"}).out, "summary");
  EXPECT_EQ(whole.at("ok"), true);
  EXPECT_EQ(whole.at("packs_not_reached"), 0);
  EXPECT_EQ(on_store({"verify", "--content", "--repair", "--cpu-time-limit", "1"}).exit, 2);
}

TEST_F(CliQuota, R12_3_RestoreAndVerifyEaseOffAndChangeNothing) {
  add_nars(1);
  ingest("n0.nar");
  EXPECT_EQ(on_store({"restore", "--ease-off", "--threads", "4", "n0", "-o", "back"}).exit, 0);
  EXPECT_EQ(read_file(path("back")), read_file(path("n0.nar")));
  EXPECT_EQ(on_store({"verify", "--content", "--ease-off", "--threads", "4"}).exit, 0);
}

TEST_F(CliQuota, R10_3_NiceLowersTheWholeProgram) {
  add_nars(1);
  const int mine = ::getpriority(PRIO_PROCESS, 0);
  const auto level = [&](const std::string& asked) {
    const Outcome run = on_store({"ingest", "--json", "--nice", asked, "n0.nar"});
    return object_of_kind(run.out, "summary").at("nice_level").get<int>();
  };
  EXPECT_EQ(level("17"), std::max(mine, 17));
  EXPECT_EQ(level("0"), mine);
  for (const char* command : {"restore", "verify", "cut"}) {
    EXPECT_NE(chunker({command, "--help"}).out.find("--nice"), std::string::npos) << command;
  }
}

TEST_F(CliQuota, R10_1_R10_2_ThreadsAreReported) {
  add_nars(1);
  const Json sum =
      object_of_kind(on_store({"ingest", "--json", "--threads", "3", "n0.nar"}).out, "summary");
  EXPECT_EQ(sum.at("threads"), 3);
  EXPECT_GT(sum.at("cpu_seconds"), 0.0);
  EXPECT_FALSE(sum.contains("cpu_time_limit_seconds"));
  const Json version = object_of_kind(chunker({"version", "--json"}).out, "version");
  EXPECT_GE(version.at("available_cpus"), 1);
  EXPECT_TRUE(version.contains("cgroup_cpus"));
  EXPECT_NE(chunker({"version"}).out.find("threads by default: "), std::string::npos);
}

TEST_F(CliQuota, R12_3_EasingOffChangesNothingThatIsStored) {
  std::vector<std::string> words{"ingest", "--json", "--ease-off", "--threads", "4"};
  const auto names = add_nars(6);
  words.insert(words.end(), names.begin(), names.end());
  EXPECT_EQ(object_of_kind(on_store(words).out, "summary").at("nars"), 6);
  EXPECT_EQ(on_store({"verify", "--content"}).exit, 0);
  EXPECT_EQ(chunker({"cut", "-q", "--ease-off", "n0.nar"}).out,
            chunker({"cut", "-q", "n0.nar"}).out);
}

TEST_F(CliQuota, WhatCannotBeMeantIsRefused) {
  for (const auto& [option, value] :
       std::vector<std::pair<std::string, std::string>>{{"--nice", "20"},
                                                        {"--nice", "-1"},
                                                        {"--nice", "x"},
                                                        {"--cpu-time-limit", "0"},
                                                        {"--cpu-time-limit", "-5"},
                                                        {"--cpu-time-limit", "nan"},
                                                        {"--cpu-time-limit", "1e300"},
                                                        {"--cpu-time-limit", "soon"}}) {
    EXPECT_EQ(on_store({"ingest", option, value, "n0.nar"}).exit, 2) << option << ' ' << value;
  }
  EXPECT_FALSE(fs::exists(store()));
}

}  // namespace
}  // namespace chunker::test
