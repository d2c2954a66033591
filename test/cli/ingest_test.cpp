#include <sys/stat.h>

#include <filesystem>
#include <map>

#include "cli/cli_fixture.hpp"

namespace chunker::test {
namespace {

namespace fs = std::filesystem;
using CliIngest = CliTest;

TEST_F(CliIngest, OneLineForEachNarAndASum) {
  add_nar("a.nar", 1);
  add_nar("b.nar", 2);
  const Outcome done = on_store({"ingest", "a.nar", "b.nar"});
  EXPECT_EQ(done.exit, 0) << done.err;
  EXPECT_EQ(done.err, "");
  EXPECT_NE(done.out.find(" new  a.nar\n"), std::string::npos) << done.out;
  EXPECT_NE(done.out.find(" new  b.nar\n"), std::string::npos) << done.out;
  EXPECT_NE(done.out.find("2 NARs, 2.0 MiB in "), std::string::npos) << done.out;
}

TEST_F(CliIngest, JsonHasOneObjectForEachNarAndASum) {
  const std::string nar = add_nar("a.nar");
  const Outcome done = on_store({"ingest", "--json", "a.nar"});
  const Json object = object_of_kind(done.out, "nar");
  EXPECT_EQ(object.at("name"), "a.nar");
  EXPECT_EQ(object.at("nar_bytes"), nar.size());
  EXPECT_EQ(object.at("nar_sha256").get<std::string>().size(), 64U);
  EXPECT_TRUE(object.at("nar_hash").get<std::string>().starts_with("sha256:"));
  EXPECT_GT(object.at("chunks"), 0);
  EXPECT_EQ(object.at("chunks"), object.at("new_chunks"));
  EXPECT_EQ(object.at("new_raw_bytes"), nar.size());
  EXPECT_LT(object.at("new_stored_bytes"), nar.size());
  EXPECT_EQ(object.at("algorithms").at("hash:blake3").at("count"), object.at("chunks"));
  EXPECT_GT(object.at("algorithms").at("codec:zstd").at("bytes_out"), 0);
  const Json sum = object_of_kind(done.out, "summary");
  EXPECT_EQ(sum.at("nars"), 1);
  EXPECT_EQ(sum.at("failed"), 0);
  EXPECT_EQ(sum.at("not_reached"), 0);
  EXPECT_EQ(sum.at("nar_bytes"), nar.size());
  EXPECT_EQ(sum.at("algorithms"), object.at("algorithms"));
  EXPECT_TRUE(sum.contains("elapsed_seconds"));
}

TEST_F(CliIngest, TheSameBytesAgainAreNotNew) {
  add_nar("a.nar");
  ingest("a.nar");
  const Outcome again = on_store({"ingest", "--json", "--name", "b.nar", "a.nar"});
  EXPECT_EQ(object_of_kind(again.out, "nar").at("new_chunks"), 0);
  EXPECT_EQ(object_of_kind(again.out, "nar").at("new_stored_bytes"), 0);
}

TEST_F(CliIngest, StandardInputIsNamedByHashOrByName) {
  const std::string nar = add_nar("a.nar");
  const Outcome nameless = on_store({"ingest", "--json", "-"}, {.input = nar});
  ASSERT_EQ(nameless.exit, 0) << nameless.err;
  const Json object = object_of_kind(nameless.out, "nar");
  EXPECT_EQ(on_store({"restore", "-o", "-", object.at("nar_sha256")}).out, nar);
  EXPECT_EQ(on_store({"ingest", "--name", "piped", "-"}, {.input = nar}).exit, 0);
  EXPECT_EQ(on_store({"restore", "-o", "-", "piped"}).out, nar);
}

TEST_F(CliIngest, TreesAreDumpedOnTheWay) {
  fs::create_directories(path("tree/sub"));
  write_file(path("tree/sub/file"), "contents");
  fs::create_symlink("sub/file", path("tree/link"));
  ASSERT_EQ(chunker({"nar", "dump", "tree", "-o", "tree.nar"}).exit, 0);
  for (const char* spelling : {"tree", "tree/", "./tree/.", "tree/sub/.."}) {
    const Outcome done = on_store({"ingest", "--json", "--tree", spelling});
    EXPECT_EQ(done.exit, 0) << done.err;
    EXPECT_EQ(object_of_kind(done.out, "nar").at("name"), "tree") << spelling;
  }
  EXPECT_EQ(on_store({"restore", "-o", "-", "tree"}).out, read_file(path("tree.nar")));
}

TEST_F(CliIngest, AListOfFilesMayComeFromAFileOrAPipe) {
  add_nar("a.nar", 1);
  add_nar("with\nnewline", 2);
  write_file(path("list"), "a.nar\n\n");
  EXPECT_EQ(on_store({"ingest", "-q", "--files-from", "list"}).exit, 0);
  EXPECT_EQ(on_store({"ingest", "-q", "--files-from", "-", "-0"},
                     {.input = std::string("with\nnewline\0a.nar\0", 19)})
                .exit,
            0);
  EXPECT_EQ(on_store({"list", "-0"}).out, std::string("a.nar\0with\nnewline\0", 19));
  write_file(path("twice"), "a.nar\n-\n");
  const Outcome twice = on_store({"ingest", "--files-from", "twice", "-"}, {.input = "x"});
  EXPECT_EQ(twice.exit, 2);
  EXPECT_NE(twice.err.find("twice: "), std::string::npos) << twice.err;
  const Outcome absent = on_store({"ingest", "--files-from", "none"});
  EXPECT_EQ(absent.exit, 1);
  EXPECT_NE(absent.err.find("none"), std::string::npos);
}

TEST_F(CliIngest, OneBadSourceIsReportedAndTheRestGoOn) {
  const std::string nar = add_nar("a.nar", 1);
  write_file(path("cut-off.nar"), std::string_view(nar).substr(0, nar.size() / 2));
  write_file(path("no.nar"), "this is no NAR, whatever its name says");
  add_nar("b.nar", 2);
  const Outcome done =
      on_store({"ingest", "--json", "a.nar", "cut-off.nar", "no.nar", "absent.nar", "b.nar"});
  EXPECT_EQ(done.exit, 1);
  EXPECT_EQ(object_of_kind(done.out, "summary").at("nars"), 2);
  EXPECT_EQ(object_of_kind(done.out, "summary").at("failed"), 3);
  EXPECT_NE(done.err.find("chunker: cut-off.nar"), std::string::npos) << done.err;
  EXPECT_NE(done.err.find("(nar_truncated)\n  The archive ends too early"), std::string::npos)
      << done.err;
  EXPECT_NE(done.err.find("no.nar: "), std::string::npos) << done.err;
  EXPECT_NE(done.err.find("(nar_bad_magic)\n"), std::string::npos) << done.err;
  EXPECT_NE(done.err.find("absent.nar"), std::string::npos) << done.err;
  EXPECT_NE(done.err.find("(io_not_found)\n"), std::string::npos) << done.err;
  const Json error = object_of_kind(done.out, "error");
  EXPECT_TRUE(error.contains("code") && error.contains("message") && error.contains("context") &&
              error.contains("retry") && error.contains("cure") && error.contains("number"));
  EXPECT_EQ(on_store({"list", "--names"}).out, "a.nar\nb.nar\n");
  EXPECT_EQ(on_store({"verify", "--content"}).exit, 0);
}

TEST_F(CliIngest, ADirectoryNeedsTreeAndTheRestGoOn) {
  add_nar("a.nar");
  fs::create_directory(path("directory"));
  const Outcome done = on_store({"ingest", "directory", "a.nar"});
  EXPECT_EQ(done.exit, 1);
  EXPECT_NE(done.err.find("directory: this is a directory, not a NAR"), std::string::npos)
      << done.err;
  EXPECT_NE(done.err.find("--tree"), std::string::npos) << done.err;
  EXPECT_EQ(on_store({"list", "--names"}).out, "a.nar\n");
}

TEST_F(CliIngest, WhatTheSystemSaysIsReadable) {
  add_nar("a.nar");
  EXPECT_TRUE(
      on_store({"ingest", "absent.nar"})
          .err.starts_with("chunker: absent.nar: cannot open: No such file or directory (io_"));
  EXPECT_TRUE(on_store({"ingest", "--files-from", ".", "a.nar"})
                  .err.starts_with("chunker: .: cannot open: Is a directory (io_not_found)\n"));
}

TEST_F(CliIngest, WhatANameMeantBeforeIsKeptAndSaid) {
  const std::string first = add_nar("a.nar", 1);
  const Json before = object_of_kind(on_store({"ingest", "--json", "a.nar"}).out, "nar");
  EXPECT_FALSE(before.contains("older_kept_as"));
  EXPECT_EQ(on_store({"ingest", "a.nar"}).err, "");  // the same NAR displaces nothing
  fs::create_directory(path("two"));
  add_nar("a.nar", 2);
  add_nar("two/a.nar", 3);
  const std::string kept = "a.nar~" + before.at("nar_sha256").get<std::string>().substr(0, 12);
  const Outcome again = on_store({"ingest", "--json", "--threads", "1", "a.nar", "two/a.nar"});
  EXPECT_NE(again.err.find("kept as " + kept), std::string::npos) << again.err;
  const auto nars = objects_of(again.out);
  ASSERT_EQ(nars.size(), 3U);
  EXPECT_EQ(nars[0].value("older_kept_as", ""), kept);
  EXPECT_EQ(nars[1].value("older_kept_as", ""),
            "a.nar~" + nars[0].at("nar_sha256").get<std::string>().substr(0, 12));
  for (const auto& nar : {nars[0], nars[1]}) {
    EXPECT_EQ(on_store({"restore", nar.at("older_kept_as"), "-o", "-"}).exit, 0);
  }
  EXPECT_EQ(on_store({"restore", kept, "-o", "-"}).out, first);
}

TEST_F(CliIngest, WhatTheOlderNarIsCalledIsSaidWhateverBecameOfIt) {
  const std::string longest(4096, 'n');
  for (unsigned seed : {1U, 2U}) {
    add_nar("a.nar", seed);
    const Outcome stored = on_store({"ingest", "--json", "--name", longest, "a.nar"});
    const Json nar = object_of_kind(stored.out, "nar");
    ASSERT_EQ(nar.contains("older_kept_as"), seed == 2) << stored.err;
    if (seed == 2) {
      EXPECT_EQ(on_store({"restore", nar.at("older_kept_as"), "-o", "-"}).exit, 0);
    }
  }
  // Its manifest is lost with the packs, and it keeps a name all the same.
  fs::remove_all(path("store/packs"));
  fs::create_directory(path("store/packs"));
  add_nar("a.nar", 3);
  const Outcome stored = on_store({"ingest", "--json", "--name", longest, "a.nar"});
  const std::string kept = object_of_kind(stored.out, "nar").value("older_kept_as", "");
  const std::string names = on_store({"list", "--names"}).out;
  EXPECT_NE(names.find(kept + "\n"), std::string::npos) << kept.size();
  EXPECT_EQ(kept.size(), longest.size());
}

TEST_F(CliIngest, NFR3_2_MalformedInputIsRefusedWithFileEntryAndByte) {
  std::string nar = make_nar({{"bin", "12345"}});
  const std::size_t padding = nar.find("12345") + 5;
  nar[padding] = 'x';
  write_file(path("bad.nar"), nar);
  const Outcome done = on_store({"ingest", "bad.nar"});
  EXPECT_EQ(done.exit, 1);
  EXPECT_NE(done.err.find("bad.nar: bin: "), std::string::npos) << done.err;
  EXPECT_NE(done.err.find(" at byte " + std::to_string(padding) + " (nar_bad_padding)"),
            std::string::npos)
      << done.err;
}

TEST_F(CliIngest, UnreadableFilesAreReported) {
  add_nar("secret.nar");
  add_nar("b.nar", 2);
  fs::permissions(path("secret.nar"), fs::perms::none);
  const Outcome done = on_store({"ingest", "secret.nar", "b.nar"}, {.obeys_permissions = true});
  EXPECT_EQ(done.exit, 1);
  EXPECT_NE(done.err.find("secret.nar"), std::string::npos);
  EXPECT_NE(done.err.find("(io_permission)"), std::string::npos) << done.err;
  EXPECT_EQ(on_store({"list", "--names"}).out, "b.nar\n");
}

TEST_F(CliIngest, AReadOnlyDirectoryIsRefused) {
  add_nar("a.nar");
  fs::create_directory(path("fixed"));
  fs::permissions(path("fixed"), fs::perms::owner_read | fs::perms::owner_exec);
  const Outcome done =
      chunker({"ingest", "--store", "fixed/store", "a.nar"}, {.obeys_permissions = true});
  EXPECT_EQ(done.exit, 1);
  EXPECT_NE(done.err.find("fixed/store"), std::string::npos) << done.err;
  EXPECT_NE(done.err.find("(io_permission)"), std::string::npos) << done.err;
  fs::permissions(path("fixed"), fs::perms::owner_all);
}

TEST_F(CliIngest, NamesOfAnyBytesSurvive) {
  const std::vector<std::string> names{"with space.nar", "with\nnewline.nar",
                                       "not-utf8-\xFF\xC3.nar", "gr\xC3\xBC\xC3\x9F.nar", "-.nar"};
  for (const std::string& name : names) {
    const std::string nar = add_nar(name, std::hash<std::string>()(name), 4096);
    const Outcome done = on_store({"ingest", "--json", "--", name});
    EXPECT_EQ(done.exit, 0) << done.err;
    EXPECT_EQ(on_store({"restore", "-o", "-", "--", name}).out, nar);
  }
  EXPECT_NE(on_store({"list"}).out.find("$'with\\012newline.nar'"), std::string::npos);
  const Outcome json = on_store({"list", "--json"});
  EXPECT_EQ(objects_of(json.out).size(), names.size());
  EXPECT_NE(json.out.find("not-utf8-\xEF\xBF\xBD"
                          "ff\xEF\xBF\xBD"
                          "c3.nar"),
            std::string::npos)
      << json.out;
}

TEST_F(CliIngest, LayoutAndHashAreTheStoresForEver) {
  add_nar("a.nar");
  const Outcome made =
      on_store({"ingest", "-q", "--layout", "objects", "--hash", "sha256", "a.nar"});
  ASSERT_EQ(made.exit, 0) << made.err;
  const Json stats = object_of_kind(on_store({"stats", "--json"}).out, "stats");
  EXPECT_EQ(stats.at("layout"), "objects");
  EXPECT_EQ(stats.at("hash"), "sha256");
  EXPECT_EQ(stats.at("algorithms").at("hash:sha256").at("count"), stats.at("unique_chunks"));
  EXPECT_EQ(on_store({"ingest", "-q", "a.nar"}).exit, 0);
  for (const auto& other : {std::pair{"--layout", "packs"}, std::pair{"--hash", "blake3"}}) {
    const Outcome refused = on_store({"ingest", "-q", other.first, other.second, "a.nar"});
    EXPECT_EQ(refused.exit, 2) << other.first;
    EXPECT_NE(refused.err.find("another"), std::string::npos) << refused.err;
  }
}

TEST_F(CliIngest, RecipesAndStrategiesAreObeyed) {
  add_nar("a.nar", 1, 2 << 20);
  const auto chunks_by = [&](std::vector<std::string> options) {
    fs::remove_all(store());
    options.insert(options.begin(), {"ingest", "--json"});
    options.emplace_back("a.nar");
    const Outcome done = on_store(options);
    EXPECT_EQ(done.exit, 0) << done.err;
    return object_of_kind(done.out, "nar");
  };
  const Json usual = chunks_by({});
  EXPECT_EQ(usual.at("chunks"), chunks_by({"--chunk-sizes", "64K:256K:1M"}).at("chunks"));
  EXPECT_EQ(usual.at("chunks"), chunks_by({"--preset", "store"}).at("chunks"));
  EXPECT_EQ(chunks_by({"--preset", "nar"}).at("chunks"),
            chunks_by({"--chunk-sizes", "128K:512K:2M"}).at("chunks"));
  EXPECT_LT(chunks_by({"--preset", "nar"}).at("chunks"), usual.at("chunks"));
  EXPECT_GT(chunks_by({"--chunk-sizes", "4KiB:16KiB:64KiB"}).at("chunks"), usual.at("chunks"));
  EXPECT_EQ(chunks_by({"--algorithm", "fixed", "--chunk-sizes", "1M:1M:1M", "--nar-mode", "off"})
                .at("chunks"),
            3);
  EXPECT_LT(chunks_by({"--strategy", "smallest"}).at("new_stored_bytes"),
            usual.at("new_stored_bytes"));
  EXPECT_GT(chunks_by({"--strategy", "fastest"}).at("new_stored_bytes"),
            usual.at("new_stored_bytes"));
  EXPECT_GT(chunks_by({"--zstd-level", "-5"}).at("new_stored_bytes"), usual.at("new_stored_bytes"));
  EXPECT_LT(chunks_by({"--zstd-level", "19"}).at("new_stored_bytes"), usual.at("new_stored_bytes"));
  EXPECT_GT(chunks_by({"--header-chunk"}).at("chunks"), 0);
  EXPECT_GT(chunks_by({"--algorithm", "rabin_karp", "--nar-mode", "biased", "--threads", "1"})
                .at("chunks"),
            0);
}

TEST_F(CliIngest, NumbersThatCannotBeMeantAreRefusedBeforeAStoreIsMade) {
  add_nar("a.nar");
  const std::map<std::string, std::vector<std::string>> wrong{
      {"--min-ratio-threshold", {"nan", "-nan", "inf", "-inf", "-0.1", "1.01", "1e999", "", "x"}},
      {"--max-compression-time-ms",
       {"nan", "inf", "-1", "-18446744073709551615", "4294967296", "1.5", "", "x"}},
      {"--threads", {"nan", "inf", "-1", "1025", "-18446744073709551615", "1.5", "", "x"}},
      {"--pack-size",
       {"nan", "inf", "-1", "0", "1.5", "99999999999999999999", "99999999999T", "x"}},
      {"--normalization", {"nan", "inf", "-1", "4", "256", "1.5", "", "x"}},
      {"--seed", {"nan", "inf", "-1", "1.5", "18446744073709551616", "x"}},
      {"--chunk-sizes",
       {"nan:1M:2M", "inf:inf:inf", "-1:64K:256K", "0:0:0", "1M:64K:2M",
        "1K:2K:99999999999999999999", "64K:256K", "x"}}};
  for (const auto& [flag, values] : wrong) {
    for (const std::string& value : values) {
      const Outcome outcome = on_store({"ingest", flag + "=" + value, "a.nar"});
      EXPECT_EQ(outcome.exit, 2) << flag << " " << value << ": " << outcome.err;
      EXPECT_LT(outcome.err.size(), 200U) << outcome.err;
      EXPECT_EQ(outcome.out, "");
      ASSERT_FALSE(std::filesystem::exists(store())) << flag << " " << value;
    }
  }
}

TEST_F(CliIngest, ASecondWriterIsTurnedAwayForNow) {
  const std::string nar = add_nar("a.nar");
  Running first({"ingest", "--store", store(), "--json", "--pack-size", "1", path("a.nar"), "-"});
  ASSERT_TRUE(first.wait_for("\"a.nar\""));  // acknowledged, and waiting for its standard input
  const Outcome second = on_store({"ingest", "a.nar"});
  EXPECT_EQ(second.exit, 75);
  EXPECT_NE(second.err.find("(store_locked)"), std::string::npos) << second.err;
  EXPECT_NE(second.err.find("wait until it is done"), std::string::npos) << second.err;
  EXPECT_EQ(on_store({"list", "--names"}).exit, 0);  // readers are welcome
  first.write(nar);
  EXPECT_EQ(first.finish().exit, 0);
  EXPECT_EQ(on_store({"ingest", "-q", "a.nar"}).exit, 0);
}

}  // namespace
}  // namespace chunker::test
