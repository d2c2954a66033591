#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <stdexcept>
#include <thread>

#include "codec/machine_code.hpp"
#include "pipeline/store_fixture.hpp"
#include "pipeline/workers.hpp"
#include "resource/descriptors.hpp"
#include "store/parts.hpp"
#include "support/lower_limit.hpp"

namespace chunker {
namespace {

using test::random_bytes;
using test::random_text;

std::map<std::string, std::string> some_nars() {
  const std::string shared = random_bytes(1, 300'000);
  return {
      {"a.nar", test::make_nar({{"big", shared}, {"text", random_text(2, 200'000)}})},
      {"b.nar", test::make_nar({{"other", random_bytes(3, 50'001)}, {"same", shared}})},
      {"empty.nar", test::make_nar({})},
      {"tiny.nar", test::make_nar({{"x", "y"}})},
      {"zeros.nar", test::make_nar({{"z", std::string(5'000'001, '\0')}})},
  };
}

struct Way {
  StoreLayout layout;
  unsigned threads;
  NarMode mode;
  std::string hash;
};

class IngestRestore : public test::StoreFixture, public testing::WithParamInterface<Way> {};

TEST_P(IngestRestore, R2_5_GivesEveryByteBack) {
  const Way way = GetParam();
  options_.layout = way.layout;
  options_.hash = *HashAlgorithm::named(way.hash);
  auto options = test::small_chunks();
  options.threads = way.threads;
  options.chunking.recipe.nar_mode = way.mode;
  const auto nars = some_nars();
  {
    auto store = open();
    ASSERT_OK(store);
    ASSERT_OK(take_in(*store, nars, options));
    ASSERT_EQ(reported_.size(), nars.size());
    for (const auto& [name, result] : reported_) EXPECT_OK(result) << name;
    for (const auto& [name, nar] : nars)
      EXPECT_EQ(give_back(*store, name).value_or(""), nar) << name;
    expect_clean(*store);
  }
  auto store = open(StoreAccess::read);
  ASSERT_OK(store);
  EXPECT_EQ(store->layout(), way.layout);
  for (const auto& [name, nar] : nars) EXPECT_EQ(give_back(*store, name).value_or(""), nar) << name;
  const auto stats = store->stats();
  ASSERT_OK(stats);
  EXPECT_EQ(stats->nars, nars.size());
  EXPECT_GT(stats->chunks, stats->unique_chunks / 2);
  EXPECT_GT(stats->dedup_ratio(), 5.0);  // The zeros.
}

INSTANTIATE_TEST_SUITE_P(Ways, IngestRestore,
                         testing::Values(Way{StoreLayout::packs, 1, NarMode::aligned, "blake3"},
                                         Way{StoreLayout::packs, 2, NarMode::biased, "blake3"},
                                         Way{StoreLayout::packs, 5, NarMode::off, "sha256"},
                                         Way{StoreLayout::objects, 2, NarMode::aligned, "blake3"}),
                         [](const auto& way) {
                           return std::string(name(way.param.layout)) + "_" +
                                  std::to_string(way.param.threads);
                         });

class Ingest : public test::StoreFixture {};

TEST_F(Ingest, KeepsWhatIsSharedOnce) {
  auto store = open();
  ASSERT_OK(store);
  const std::string shared = random_bytes(1, 400'000);
  ASSERT_OK(take_in(*store, {{"a.nar", test::make_nar({{"f", shared}})}}));
  ASSERT_OK(take_in(*store, {{"b.nar", test::make_nar({{"a", "first"}, {"g", shared}})}}));
  const IngestedNar& second = *reported_.at("b.nar");
  EXPECT_LT(second.new_raw_bytes, 10'000U);
  EXPECT_GT(second.chunks, 30U);
  EXPECT_EQ(give_back(*store, "b")->size(), second.nar_bytes);
}

TEST_F(Ingest, TheSameAgainStoresNothing) {
  auto store = open();
  ASSERT_OK(store);
  ASSERT_OK(take_in(*store, some_nars()));
  const auto before = packs();
  ASSERT_OK(take_in(*store, some_nars()));
  EXPECT_EQ(packs(), before);
  for (const auto& [name, result] : reported_) {
    ASSERT_OK(result);
    EXPECT_EQ(result->new_chunks, 0U) << name;
  }
}

TEST_F(Ingest, NFR3_2_ReportsABadSourceAndGoesOnWithTheRest) {
  auto store = open();
  ASSERT_OK(store);
  auto nars = some_nars();
  std::string truncated = nars["a.nar"];
  truncated.resize(truncated.size() / 2);
  nars["truncated.nar"] = truncated;
  nars["text.nar"] = "this is no archive";
  nars["nothing.nar"] = "";
  nars["trailing.nar"] = nars["a.nar"] + "x";
  ASSERT_OK(take_in(*store, nars));
  ASSERT_EQ(reported_.size(), nars.size());
  const auto code = [this](const std::string& name) { return reported_.at(name).error().code; };
  EXPECT_EQ(code("truncated.nar"), ErrorCode::nar_truncated);
  EXPECT_EQ(code("text.nar"), ErrorCode::nar_bad_magic);
  EXPECT_EQ(code("nothing.nar"), ErrorCode::nar_truncated);
  EXPECT_EQ(code("trailing.nar"), ErrorCode::nar_trailing_bytes);
  EXPECT_NE(reported_.at("truncated.nar").error().context.find("truncated.nar"), std::string::npos);
  EXPECT_EQ(give_back(*store, "b.nar").value_or(""), nars["b.nar"]);
  EXPECT_EQ(give_back(*store, "truncated.nar").error().code, ErrorCode::store_not_found);
  expect_clean(*store);
}

TEST_F(Ingest, ANameUsedAgainKeepsTheOlderNar) {
  auto store = open();
  ASSERT_OK(store);
  const std::string first = test::make_nar({{"v", "1"}}), second = test::make_nar({{"v", "2"}});
  ASSERT_OK(take_in(*store, {{"p.nar", first}}));
  const std::string older = (*reported_.at("p.nar")).nar_sha256.hex();
  ASSERT_OK(take_in(*store, {{"p.nar", second}}));
  EXPECT_EQ(give_back(*store, "p").value_or(""), second);
  EXPECT_EQ(give_back(*store, older).value_or(""), first);
  EXPECT_EQ(give_back(*store, "p.nar~" + older.substr(0, 12)).value_or(""), first);
  ASSERT_OK(collect_garbage(*store, {.garbage_min = 0, .dry_run = false}));
  EXPECT_EQ(give_back(*store, older).value_or(""), first);
}

TEST_F(Ingest, TheLongestNameCanBeUsedAgain) {
  auto store = open();
  ASSERT_OK(store);
  const std::string name(4096, 'n');
  for (const char* version : {"1", "2", "3"}) {
    const auto path = write_nar("v.nar", test::make_nar({{"v", version}}));
    const std::vector<IngestSource> one{{IngestSource::Kind::nar_file, path, -1, name}};
    ASSERT_OK(ingest(*store, one, test::small_chunks(), {}));
  }
  EXPECT_EQ(give_back(*store, name).value_or(""), test::make_nar({{"v", "3"}}));
  EXPECT_EQ(store->stats()->nars, 3U);
  const std::vector<IngestSource> longer{
      {IngestSource::Kind::nar_file, write_nar("v.nar", test::make_nar({})), -1, name + "n"}};
  std::optional<ErrorCode> refused;
  ASSERT_OK(ingest(*store, longer, test::small_chunks(), [&](const auto&, const auto& result) {
    if (!result) refused = result.error().code;
  }));
  EXPECT_EQ(refused, ErrorCode::invalid_argument);
}

TEST_F(Ingest, FindsByNameSuffixAndHash) {
  auto store = open();
  ASSERT_OK(store);
  ASSERT_OK(take_in(*store, {{"p.nar", test::make_nar({{"v", "1"}})}, {"q", test::make_nar({})}}));
  const std::string hex = (*reported_.at("p.nar")).nar_sha256.hex();
  for (const std::string& spelling :
       {std::string("p"), std::string("p.nar"), hex, hex.substr(0, 8), "sha256:" + hex}) {
    const auto found = store->find(spelling);
    ASSERT_OK(found);
    EXPECT_EQ(found->nar_sha256.hex(), hex) << spelling;
  }
  EXPECT_OK(store->find("q.nar"));
  for (const char* absent : {"r", "", "0123456", "sha256:00", "p.nar.x"}) {
    EXPECT_EQ(store->find(absent).error().code, ErrorCode::store_not_found) << absent;
  }
}

TEST_F(Ingest, TakesTreesAndDescriptors) {
  auto store = open();
  ASSERT_OK(store);
  const auto tree = directory_.path() / "tree";
  std::filesystem::create_directories(tree / "sub");
  test::write_file(tree / "sub" / "file", random_text(5, 100'000));
  std::filesystem::create_symlink("sub/file", tree / "link");
  const std::string nar = test::make_nar({{"one", random_text(6, 3'000'000)}});
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  std::jthread feeder([&] {
    for (std::size_t at = 0; at < nar.size();) {
      const auto count =
          ::write(ends[1], nar.data() + at, std::min<std::size_t>(5000, nar.size() - at));
      ASSERT_GT(count, 0);
      at += static_cast<std::size_t>(count);
    }
    ::close(ends[1]);
  });
  const std::vector<IngestSource> sources{
      {IngestSource::Kind::tree, tree, -1, "a-tree"},
      {IngestSource::Kind::file_descriptor, {}, ends[0], "piped"},
      {IngestSource::Kind::tree, directory_.path() / "absent", -1, "absent"}};
  std::map<std::string, bool> fine;
  ASSERT_OK(ingest(
      *store, sources, test::small_chunks(),
      [&](const auto& source, const auto& result) { fine[source.name] = result.has_value(); }));
  feeder.join();
  ::close(ends[0]);
  EXPECT_EQ(fine,
            (std::map<std::string, bool>{{"a-tree", true}, {"absent", false}, {"piped", true}}));
  EXPECT_EQ(give_back(*store, "piped").value_or(""), nar);
  const auto manifest = store->manifest(store->find("a-tree")->nar_sha256);
  ASSERT_OK(manifest);
  std::vector<std::string> paths;
  for (const NarEntry& entry : manifest->entries) paths.push_back(entry.path);
  EXPECT_EQ(paths, (std::vector<std::string>{"", "link", "sub", "sub/file"}));
}

TEST_F(Ingest, R1_5_TheManifestMapsChunksToEntries) {
  auto store = open();
  ASSERT_OK(store);
  const std::string nar = test::make_nar({{"big", random_bytes(9, 100'000)}, {"small", "x"}});
  ASSERT_OK(take_in(*store, {{"n.nar", nar}}));
  const auto manifest = store->manifest(store->find("n")->nar_sha256);
  ASSERT_OK(manifest);
  ASSERT_EQ(manifest->entries.size(), 3U);
  const NarEntry& big = manifest->entries[1];
  EXPECT_EQ(nar.substr(big.offset_bytes, big.size_bytes), random_bytes(9, 100'000));
  std::uint64_t offset = 0;
  bool begins_a_chunk = false;
  for (const ChunkReference& chunk : manifest->chunks) {
    ByteBuffer bytes;
    ASSERT_OK(store->read_chunk(chunk.digest, bytes));
    EXPECT_EQ(text_of(bytes), std::string_view(nar).substr(offset, chunk.size_bytes));
    begins_a_chunk = begins_a_chunk || offset == big.offset_bytes;
    offset += chunk.size_bytes;
  }
  EXPECT_EQ(offset, nar.size());
  EXPECT_TRUE(begins_a_chunk);
}

TEST_F(Ingest, StopsOnRequestAndKeepsWhatWasAcknowledged) {
  auto store = open();
  ASSERT_OK(store);
  auto options = test::small_chunks();
  std::stop_source stop;
  options.stop = stop.get_token();
  stop.request_stop();
  EXPECT_EQ(take_in(*store, some_nars(), options).error().code, ErrorCode::cancelled);
  for (const auto& [name, result] : reported_) EXPECT_EQ(result.error().code, ErrorCode::cancelled);
  expect_clean(*store);
  ASSERT_OK(take_in(*store, some_nars()));
  expect_clean(*store);
}

// With room for a few files beside those of the store, where threads alone would open 64.
TEST_F(Ingest, R11_2_FewDescriptorsMeanFewerFilesAtOnceAndNoFailure) {
  auto store = open();
  ASSERT_OK(store);
  std::map<std::string, std::string> nars;
  std::vector<RestoreJob> jobs;
  for (unsigned i = 0; i < 80; ++i) {
    nars["file" + std::to_string(i)] = test::make_nar({{"f", test::random_text(i, 3000)}});
  }
  IngestOptions options = test::small_chunks();
  options.threads = 8;
  const test::LowerLimit few(RLIMIT_NOFILE, test::open_descriptors() + 32);
  EXPECT_EQ(pipeline::nars_under_way(80, 8, 8).pipelines, 4U);
  EXPECT_EQ(pipeline::nars_under_way(80, 8, 8).nars_each, 1U);
  ASSERT_OK(take_in(*store, nars, options));
  for (const auto& [name, result] : reported_) {
    ASSERT_OK(result);
    jobs.push_back({result->nar_sha256, directory_.path() / (name + ".back")});
  }
  ASSERT_OK(restore_many(*store, jobs, {.threads = 8},
                         [](const RestoreJob&, const Result<void>& done) { EXPECT_OK(done); }));
  for (const auto& [name, nar] : nars) {
    EXPECT_EQ(test::read_file(directory_.path() / (name + ".back")), nar);
  }
}

// A tree has more than one directory open at a time, however many it has.
TEST_F(Ingest, R11_2_FewDescriptorsMeanFewerTreesAtOnceAndNoFailure) {
  auto store = open();
  ASSERT_OK(store);
  std::vector<IngestSource> sources;
  for (int i = 0; i < 24; ++i) {
    const auto tree = directory_.path() / ("tree" + std::to_string(i));
    const auto below = tree / "a/b/c/d";
    std::filesystem::create_directories(below);
    test::write_file(below / "f", std::to_string(i));
    std::filesystem::resize_file(below / "f", 3 << 20);
    sources.push_back({IngestSource::Kind::tree, tree, -1, {}});
  }
  const test::LowerLimit few(RLIMIT_NOFILE, test::open_descriptors() + 28);
  EXPECT_EQ(pipeline::nars_under_way(24, 2, 8, 3).nars_each, 2U);
  std::size_t stored = 0;
  ASSERT_OK(ingest(*store, sources, {.threads = 2},
                   [&stored](const IngestSource&, const Result<IngestedNar>& nar) {
                     EXPECT_OK(nar);
                     ++stored;
                   }));
  EXPECT_EQ(stored, 24U);
}

TEST_F(Ingest, R25_4_WhatTheCallersFunctionThrowsReachesTheCaller) {
  const auto nars = some_nars();
  std::vector<IngestSource> sources;
  for (const auto& [name, nar] : nars) {
    sources.push_back({IngestSource::Kind::nar_file, write_nar(name, nar), -1, {}});
  }
  sources.push_back({IngestSource::Kind::nar_file, directory_.path() / "absent.nar", -1, {}});
  auto store = open();
  ASSERT_OK(store);
  std::size_t told_count = 0;
  // Of durable NARs one of the store's own threads tells, of failed ones a worker.
  const auto done =
      ingest(*store, sources, test::small_chunks(), [&](const auto& source, const auto&) {
        ++told_count;
        throw std::runtime_error(source.path.filename().string());
      });
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ErrorCode::internal);
  EXPECT_TRUE(done.error().context.ends_with(".nar")) << done.error().context;
  EXPECT_EQ(told_count, sources.size());
  for (const auto& [name, nar] : nars) EXPECT_EQ(give_back(*store, name), nar);
}

TEST_F(Ingest, RefusesASecondWriterButNotAReader) {
  auto store = open();
  ASSERT_OK(store);
  const auto second = open();
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::store_locked);
  EXPECT_EQ(retry(second.error().code), Retry::later);
  ASSERT_OK(take_in(*store, some_nars()));
  EXPECT_OK(open(StoreAccess::read));
}

TEST_F(Ingest, TwoIngestsOfOneStoreRunOneAfterTheOther) {
  auto store = open();
  ASSERT_OK(store);
  const auto nar = [](std::uint64_t seed) {
    return test::make_nar({{"f", random_bytes(seed, 200'000)}});
  };
  const std::vector<IngestSource> one{
      {IngestSource::Kind::nar_file, write_nar("1.nar", nar(1)), -1, {}}};
  const std::vector<IngestSource> two{
      {IngestSource::Kind::nar_file, write_nar("2.nar", nar(2)), -1, {}}};
  std::jthread other([&] { EXPECT_OK(ingest(*store, one, test::small_chunks(), {})); });
  EXPECT_OK(ingest(*store, two, test::small_chunks(), {}));
  other.join();
  EXPECT_EQ(give_back(*store, "1").value_or(""), nar(1));
  EXPECT_EQ(give_back(*store, "2").value_or(""), nar(2));
  expect_clean(*store);
}

class Restore : public test::StoreFixture {};

TEST_F(Restore, AFileAppearsOnlyWhenComplete) {
  auto store = open();
  ASSERT_OK(store);
  const std::string nar = test::make_nar({{"f", random_bytes(1, 500'000)}});
  ASSERT_OK(take_in(*store, {{"n.nar", nar}}));
  const Digest digest = store->find("n")->nar_sha256;
  const auto output = directory_.path() / "out.nar";
  ASSERT_OK(restore_to_file(*store, digest, output));
  EXPECT_EQ(test::read_file(output), nar);

  test::write_file(output, "what was there before");
  std::string pack = test::read_file(packs().front());
  pack[pack.size() / 2] ^= 1;
  test::write_file(packs().front(), pack);
  const auto damaged = restore_to_file(*store, digest, output);
  ASSERT_FALSE(damaged);
  EXPECT_EQ(damaged.error().code, ErrorCode::digest_mismatch) << describe(damaged.error());
  EXPECT_NE(damaged.error().context.find("packs/"), std::string::npos);
  EXPECT_EQ(test::read_file(output), "what was there before");
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(directory_.path())) {
    files += entry.path().string().find("partial") != std::string::npos;
  }
  EXPECT_EQ(files, 0U);
}

TEST_F(Restore, ASinkThatFailsEndsIt) {
  auto store = open();
  ASSERT_OK(store);
  ASSERT_OK(take_in(*store, some_nars()));
  std::size_t calls = 0;
  const auto result =
      restore(*store, store->find("a")->nar_sha256, [&calls](Bytes) -> Result<void> {
        if (++calls < 3) return {};
        return std::unexpected(Error{ErrorCode::io_no_space, "the pipe is full"});
      });
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::io_no_space);
  EXPECT_EQ(calls, 3U);
}

TEST_F(Restore, ManyAtOnceReportEachJob) {
  auto store = open();
  ASSERT_OK(store);
  const auto nars = some_nars();
  ASSERT_OK(take_in(*store, nars));
  std::vector<RestoreJob> jobs;
  for (const auto& [name, nar] : nars) {
    jobs.push_back({store->find(name)->nar_sha256, directory_.path() / ("out-" + name)});
  }
  jobs.push_back({Digest{}, directory_.path() / "never"});
  std::map<std::string, bool> fine;
  ASSERT_OK(restore_many(*store, jobs, {.threads = 3}, [&](const auto& job, const auto& result) {
    fine[job.path.filename().string()] = result.has_value();
  }));
  EXPECT_EQ(fine.size(), jobs.size());
  EXPECT_FALSE(fine["never"]);
  for (const auto& [name, nar] : nars) {
    EXPECT_EQ(test::read_file(directory_.path() / ("out-" + name)), nar) << name;
  }
}

TEST_F(Restore, AStoppedRestoreAnswersEveryJobAndLeavesNoFile) {
  auto store = open();
  ASSERT_OK(store);
  std::map<std::string, std::string> nars;
  for (unsigned i = 0; i < 12; ++i) {
    nars[std::to_string(i) + ".nar"] = test::make_nar({{"f", random_bytes(i, 30'000)}});
  }
  ASSERT_OK(take_in(*store, nars));
  std::vector<RestoreJob> jobs;
  for (const auto& [name, nar] : nars) {
    jobs.push_back({store->find(name)->nar_sha256, directory_.path() / "out" / name});
  }
  std::filesystem::create_directory(directory_.path() / "out");
  std::stop_source stop;
  std::size_t fine = 0, stopped = 0;
  const auto result = restore_many(*store, jobs, {.threads = 2, .stop = stop.get_token()},
                                   [&](const auto&, const auto& job_result) {
                                     job_result ? ++fine : ++stopped;
                                     stop.request_stop();
                                   });
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::cancelled);
  EXPECT_EQ(fine + stopped, jobs.size());
  EXPECT_GT(stopped, 0U);
  const auto files = std::filesystem::directory_iterator(directory_.path() / "out");
  EXPECT_EQ(static_cast<std::size_t>(std::distance(begin(files), end(files))), fine);
}

TEST_F(Ingest, MachineCodeIsFilteredBeforeItIsCompressed) {
  auto store = open();
  ASSERT_OK(store);
  const ByteBuffer code = test::machine_code(600'000);
  const auto nar = test::make_nar({{"code", std::string(text_of(code))}});
  ASSERT_OK(take_in(*store, {{"code.nar", nar}}, {}));
  const auto chunk = store->manifest(store->find("code.nar")->nar_sha256)->chunks.front();
  EXPECT_EQ(store->parts().locate(chunk.digest)->codec, CodecId::zstd_x86);
  EXPECT_TRUE(give_back(*store, "code.nar").value_or("") == nar);
}

}  // namespace
}  // namespace chunker
