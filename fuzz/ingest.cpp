#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/check.hpp"
#include "base/wire.hpp"
#include "chunker/hash.hpp"
#include "chunker/ingest.hpp"
#include "chunker/maintain.hpp"
#include "chunker/nar.hpp"
#include "scratch_store.hpp"
#include "store/blob_memory.hpp"
#include "store/parts.hpp"

// input := u16 options, bytes. The bytes are an archive as they are, or the contents of a file in two versions of a
// package, so that deltas are made. What NarParser accepts must be stored and come back byte for byte; what it does
// not must be refused with an error of NARs. The store must be sound after either.

namespace {

using namespace chunker;
using fuzz::nar_of;

void check_sound(const Store& store, bool content) {
  const auto report = verify(store, {.content = content, .threads = 1}, {});
  CHUNKER_CHECK(report && report->problems == 0 && report->nars_damaged == 0);
}

/// Opening takes a hundred times as long as storing a small NAR, since the index is a database with threads of its
/// own. So one store serves many inputs, each under names that take the place of the ones before, and is made anew
/// before there are so many packs that checking it is slow. Packs are in memory.
class Stores {
 public:
  /// At once, so that what the database keeps in statics outlives the last store.
  Stores() { renew(); }

  Store& next() {
    constexpr unsigned kInputsMax = 64;
    if (inputs_++ == kInputsMax) renew();
    return *store_;
  }
  [[nodiscard]] std::filesystem::path file(const std::string& name) const {
    return directory_.path() / name;
  }

 private:
  void renew() {
    if (store_) check_sound(*store_, true);
    store_.reset();
    std::filesystem::remove_all(file("store"));
    auto opened = Store::open(file("store"), {.access = StoreAccess::write, .create = true});
    CHUNKER_CHECK(opened.has_value());
    store_ = std::make_unique<Store>(*std::move(opened));
    store_->parts().blobs = std::make_unique<store::MemoryBlobStore>();
    inputs_ = 0;
  }

  fuzz::ScratchDirectory directory_;
  std::unique_ptr<Store> store_;
  unsigned inputs_ = 0;
};

/// The bits of a number, some at a time.
class Choices {
 public:
  explicit Choices(std::uint16_t bits) : bits_(bits) {}
  unsigned take(unsigned count) {
    const unsigned taken = bits_ & ((1U << count) - 1);
    bits_ = static_cast<std::uint16_t>(bits_ >> count);
    return taken;
  }

 private:
  std::uint16_t bits_;
};

IngestOptions options_of(Choices& choices) {
  IngestOptions options;
  options.threads = 1;
  Recipe& recipe = options.chunking.recipe;
  recipe.min_bytes = std::uint64_t{64} << choices.take(2);
  recipe.avg_bytes = std::max<std::uint64_t>(256, recipe.min_bytes << (1 + choices.take(1)));
  recipe.max_bytes = std::max<std::uint64_t>(1024, recipe.avg_bytes << (1 + choices.take(1)));
  constexpr NarMode kModes[] = {NarMode::off, NarMode::biased, NarMode::aligned, NarMode::aligned};
  recipe.nar_mode = kModes[choices.take(2)];
  recipe.header_chunk = choices.take(1) != 0;
  recipe.prefer_lines = choices.take(1) != 0;
  // Not automatic: it tries every codec on every chunk, which takes longer than all the rest.
  constexpr CompressionStrategy kStrategies[] = {CompressionStrategy::fastest,
                                                 CompressionStrategy::balanced};
  options.strategy = kStrategies[choices.take(1)];
  if (choices.take(1) != 0) options.store_prefix = "/n/";  // Short enough to be found by chance.
  options.deltas = choices.take(1) == 0;
  return options;
}

bool is_nar(Bytes bytes) {
  NarVisitor ignore;
  NarParser parser;
  return parser.feed(bytes, ignore).has_value() && parser.finish().has_value();
}

void check_round_trip(Stores& stores, const std::string& name, std::string_view nar,
                      const IngestOptions& options) {
  Store& store = stores.next();
  std::ofstream(stores.file(name), std::ios::binary) << nar;
  const auto before = store.find(name);
  std::optional<Result<IngestedNar>> outcome;
  const IngestSource source{IngestSource::Kind::nar_file, stores.file(name), -1, {}};
  const auto done = ingest(store, {&source, 1}, options,
                           [&](const auto&, const auto& result) { outcome = result; });
  CHUNKER_CHECK(done.has_value() && outcome);
  CHUNKER_CHECK(outcome->has_value() == is_nar(bytes_of(nar)));
  const auto after = store.find(name);
  if (*outcome) {
    CHUNKER_CHECK(after && after->nar_sha256 == HashAlgorithm::sha256().hash(bytes_of(nar)));
    CHUNKER_CHECK(fuzz::restored(store, after->nar_sha256) == nar);
  } else {
    const Error& error = outcome->error();
    CHUNKER_CHECK(chunker::name(error.code).starts_with("nar_") && !error.what.empty());
    CHUNKER_CHECK(after.has_value() == before.has_value());
    CHUNKER_CHECK(!after || after->nar_sha256 == before->nar_sha256);
    check_sound(store, false);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Stores stores;
  base::WireReader reader(std::as_bytes(std::span(data, size)));
  const auto bits = reader.le<std::uint16_t>();
  if (!bits) return 0;
  Choices choices(*bits);
  const IngestOptions options = options_of(choices);
  if (choices.take(1) == 0) {
    check_round_trip(stores, "archive.nar", text_of(reader.rest()), options);
    return 0;
  }
  std::string contents(text_of(reader.rest()));
  check_round_trip(stores, "tool-1.nar", nar_of(contents), options);
  for (std::size_t at = 100; at < contents.size(); at += 512) contents[at] ^= 1;
  check_round_trip(stores, "tool-2.nar", nar_of(contents), options);
  return 0;
}
