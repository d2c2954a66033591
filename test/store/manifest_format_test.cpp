#include "store/manifest_format.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <random>
#include <regex>
#include <unordered_map>

#include "base/try.hpp"
#include "store/entry_table.hpp"
#include "store/format_samples.hpp"

namespace chunker::store {
namespace {

using samples::blake3;
using samples::sha256;
using ::testing::AllOf;
using ::testing::HasSubstr;
using enum NarEntryType;

EncodedManifest encoded(const Manifest& manifest) {
  auto result = encode_manifest(manifest, HashAlgorithm::blake3());
  EXPECT_TRUE(result) << describe(result.error());
  return *std::move(result);
}

// Serves the pieces of a manifest as a store would.
class Pieces {
 public:
  explicit Pieces(const EncodedManifest& encoded) {
    for (const auto& piece : encoded.pieces) bytes_[piece.digest] = text_of(piece.bytes);
  }
  FetchPiece fetch() {
    return [this](const Digest& digest, ByteBuffer& output) -> Result<void> {
      ++fetch_count_;
      const auto found = bytes_.find(digest);
      if (found == bytes_.end()) {
        return base::fail(ErrorCode::store_chunk_missing, "no such piece", Error::kNoOffset,
                          digest.hex());
      }
      output.append(bytes_of(found->second));
      return {};
    };
  }
  std::string& of(const Digest& digest) { return bytes_.at(digest); }
  [[nodiscard]] int fetch_count() const { return fetch_count_; }

 private:
  std::unordered_map<Digest, std::string> bytes_;
  int fetch_count_ = 0;
};

FetchPiece no_pieces() {
  return [](const Digest&, ByteBuffer&) -> Result<void> {
    ADD_FAILURE() << "there are no pieces";
    return {};
  };
}

Result<Manifest> decoded(Bytes bytes, const FetchPiece& fetch) {
  CHUNKER_TRY(const ManifestHead head, decode_manifest_head(bytes));
  return decode_manifest(head, fetch);
}

struct Golden {
  std::string name;
  Manifest manifest;
};

std::vector<Golden> golden_manifests() {
  return {{"tiny.manifest", samples::tiny_manifest()},
          {"tree.manifest", samples::tree_manifest()},
          {"large.manifest", samples::large_manifest()},
          {"references.manifest", samples::references_manifest()},
          {"landmarks.manifest", samples::landmarks_manifest()}};
}

TEST(ManifestFormat, ReadsAndWritesTheGoldenFilesByteForByte) {
  for (const Golden& golden : golden_manifests()) {
    SCOPED_TRACE(golden.name);
    const std::string file = samples::vector(golden.name);
    const EncodedManifest ours = encoded(golden.manifest);
    EXPECT_EQ(base::to_hex(ours.bytes), base::to_hex(bytes_of(file)));
    Pieces pieces(ours);
    const auto read = decoded(bytes_of(file), pieces.fetch());
    ASSERT_TRUE(read) << describe(read.error());
    EXPECT_EQ(*read, golden.manifest);
  }
}

TEST(ManifestFormat, EntryTableOfTheGoldenTreeIsItsOnlyPiece) {
  const EncodedManifest tree = encoded(samples::tree_manifest());
  ASSERT_EQ(tree.pieces.size(), 1U);
  EXPECT_EQ(text_of(tree.pieces[0].bytes), samples::vector("tree.entries"));
  EXPECT_EQ(tree.pieces[0].digest, blake3(samples::vector("tree.entries")));
}

TEST(ManifestFormat, TheSpecificationExplainsTheGoldenTable) {
  const std::string text = samples::read_file("doc/format/manifest.md");
  const std::regex dump_line("\n[0-9a-f]{6}  ((?:[0-9a-f]{2} ?)*)");
  std::string hex;
  for (std::sregex_iterator line(text.begin(), text.end(), dump_line), end; line != end; ++line) {
    hex += std::regex_replace((*line)[1].str(), std::regex(" "), "");
  }
  EXPECT_EQ(hex, base::to_hex(
                     bytes_of(samples::vector("tree.manifest") + samples::vector("tree.entries"))));
}

TEST(ManifestFormat, LargePartsAreCutIntoPiecesNamedByTheStoresHash) {
  const Manifest large = samples::large_manifest();
  auto by_sha256 = encode_manifest(large, HashAlgorithm::sha256());
  ASSERT_TRUE(by_sha256);
  ASSERT_EQ(by_sha256->pieces.size(), 2U);
  EXPECT_EQ(by_sha256->pieces[0].bytes.size(), kPartPieceBytes);
  for (const auto& piece : by_sha256->pieces) {
    EXPECT_EQ(piece.digest, HashAlgorithm::sha256().hash(piece.bytes));
  }
  EXPECT_LE(by_sha256->bytes.size(), 256U)
      << "a NAR that is all duplicates costs its own bytes only";
}

// Chunk lists of 3 chunks are inline, of 4 in a piece: 33 bytes each here.
TEST(ManifestFormat, PartsOf128BytesAreInline) {
  Manifest manifest;
  for (int count = 0; count < 8; ++count) {
    const EncodedManifest result = encoded(manifest);
    EXPECT_EQ(result.pieces.size(), count <= 3 ? 0U : 1U) << count;
    Pieces pieces(result);
    EXPECT_EQ(decoded(result.bytes, pieces.fetch()), manifest);
    manifest.chunks.push_back({blake3("x"), 100});
    manifest.nar_bytes += 100;
  }
}

TEST(ManifestFormat, TheChunkListNeedsOnlyItsOwnPieces) {
  Manifest manifest = samples::large_manifest();
  manifest.entries = samples::tree_manifest().entries;
  const EncodedManifest result = encoded(manifest);
  ASSERT_EQ(result.pieces.size(), 3U);
  Pieces pieces(result);
  const auto chunks = decode_chunk_list(*decode_manifest_head(result.bytes), pieces.fetch());
  ASSERT_TRUE(chunks);
  EXPECT_EQ(*chunks, manifest.chunks);
  EXPECT_EQ(pieces.fetch_count(), 2);
}

TEST(ManifestFormat, OfTwoRebuildsTheHashesDifferAndThePiecesAreShared) {
  Manifest manifest = samples::references_manifest();
  const EncodedManifest before = encoded(manifest);
  manifest.references.hashes[1].bytes[0] ^= std::byte{1};
  const EncodedManifest after = encoded(manifest);
  ASSERT_EQ(before.pieces.size(), 1U) << "the positions; hashes are inline";
  ASSERT_EQ(after.pieces.size(), 1U);
  EXPECT_EQ(after.pieces[0].digest, before.pieces[0].digest);
  EXPECT_NE(text_of(after.bytes), text_of(before.bytes));
  EXPECT_EQ(decode_manifest_head(after.bytes)->pieces(), std::vector{after.pieces[0].digest});
}

// What validates a reconstruction: from the manifest alone one knows which chunks hold which entry, and the
// entry's bytes are where it says.
TEST(ManifestFormat, R1_5_AReadManifestMapsChunksToEntries) {
  const std::string nar = samples::tiny_nar();
  Manifest manifest = samples::tiny_manifest();
  manifest.chunks = {{blake3(nar.substr(0, 99)), 99}, {blake3(nar.substr(99)), nar.size() - 99}};
  const auto read = decoded(encoded(manifest).bytes, no_pieces());
  ASSERT_TRUE(read) << describe(read.error());

  const NarEntry& file = read->entries.at(0);
  std::string contents;
  std::uint64_t begin = 0;
  for (const ChunkReference& chunk : read->chunks) {
    const std::string bytes = nar.substr(begin, chunk.size_bytes);
    ASSERT_EQ(blake3(bytes), chunk.digest);
    const std::uint64_t from = std::max(begin, file.offset_bytes);
    const std::uint64_t to =
        std::min(begin + chunk.size_bytes, file.offset_bytes + file.size_bytes);
    if (from < to) contents += bytes.substr(from - begin, to - from);
    begin += chunk.size_bytes;
  }
  EXPECT_EQ(contents, "hello\n");
}

TEST(ManifestFormat, NFR3_2_RejectsEveryManifestOfTheList) {
  const auto rejected = samples::rejected("manifest");
  ASSERT_GT(rejected.size(), 40U);
  for (const auto& row : rejected) {
    const auto read = decoded(row.bytes, no_pieces());
    ASSERT_FALSE(read) << row.reason;
    const bool later_version = row.reason.contains("later version");
    EXPECT_EQ(read.error().code,
              later_version ? ErrorCode::store_version : ErrorCode::store_corrupt)
        << row.reason << ": " << describe(read.error());
    EXPECT_LE(read.error().offset_bytes, row.bytes.size()) << row.reason;
  }
}

// A manifest whose recipe has landmarks, with another number for them.
Result<ManifestHead> with_landmarks(char number) {
  constexpr std::size_t kCheckBytes = 16, kLandmarksAt = 58;
  std::string bytes = samples::vector("landmarks.manifest");
  EXPECT_EQ(bytes[kLandmarksAt], 0b1011);
  bytes[kLandmarksAt] = number;
  bytes.resize(bytes.size() - kCheckBytes);
  const Digest check = HashAlgorithm::blake3().hash(bytes_of(bytes));
  bytes += text_of(check.view().first(kCheckBytes));
  return decode_manifest_head(bytes_of(bytes));
}

TEST(ManifestFormat, LandmarksAreOneToFifteen) {
  EXPECT_TRUE(with_landmarks(0b1011));
  const auto all = with_landmarks(0b1111);
  ASSERT_TRUE(all);
  EXPECT_TRUE(all->recipe.prefer_sections && all->recipe.dedup_hint &&
              all->recipe.prefer_definitions && all->recipe.prefer_lines);
  EXPECT_EQ(with_landmarks(0).error().code, ErrorCode::store_corrupt);
  EXPECT_EQ(with_landmarks(16).error().code, ErrorCode::store_version);
}

TEST(ManifestFormat, NFR3_2_RejectsEveryTruncationAndEveryFlippedBit) {
  for (const Golden& golden : golden_manifests()) {
    std::string bytes = samples::vector(golden.name);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      ASSERT_FALSE(decode_manifest_head(bytes_of(bytes).first(size)))
          << golden.name << " at " << size;
    }
    for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
      const char flip = static_cast<char>(1 << bit % 8);
      bytes[bit / 8] ^= flip;
      ASSERT_FALSE(decode_manifest_head(bytes_of(bytes))) << golden.name << " bit " << bit;
      bytes[bit / 8] ^= flip;
    }
  }
}

// With a check that fits again, as a hostile writer would make it: what still decodes is spelled so.
TEST(ManifestFormat, NFR3_2_ASealedManifestWithAFlippedBitFailsOrIsAnotherOne) {
  const EncodedManifest tiny = encoded(samples::tiny_manifest());
  const std::string body(text_of(tiny.bytes.view().first(tiny.bytes.size() - 16)));
  int other_count = 0;
  for (std::size_t bit = 0; bit < body.size() * 8; ++bit) {
    std::string flipped = body;
    flipped[bit / 8] ^= static_cast<char>(1 << bit % 8);
    flipped.append(text_of(blake3(flipped).view().first(16)));
    const auto read = decoded(bytes_of(flipped), no_pieces());
    if (!read) continue;
    ++other_count;
    ASSERT_NE(*read, samples::tiny_manifest());
    ASSERT_EQ(text_of(encoded(*read).bytes), flipped) << "bit " << bit;
  }
  EXPECT_GT(other_count, 64 * 8) << "both digests at least can be any";
}

TEST(ManifestFormat, NFR3_2_AnEntryTableCutOrFlippedFailsOrIsAnotherOne) {
  const Manifest tree = samples::tree_manifest();
  std::string table = samples::vector("tree.entries");
  const auto decode = [&](std::string_view bytes) {
    return decode_entries(bytes_of(bytes), tree.entries.size(), tree.nar_bytes);
  };
  ASSERT_EQ(decode(table), tree.entries);
  for (std::size_t size = 0; size < table.size(); ++size) {
    ASSERT_FALSE(decode(std::string_view(table).substr(0, size))) << size;
  }
  for (std::size_t bit = 0; bit < table.size() * 8; ++bit) {
    const char flip = static_cast<char>(1 << bit % 8);
    table[bit / 8] ^= flip;
    if (const auto read = decode(table)) {
      ASSERT_NE(*read, tree.entries) << bit;
      ByteBuffer again;
      ASSERT_TRUE(encode_entries(*read, tree.nar_bytes, again)) << bit;
      ASSERT_EQ(text_of(again), table) << bit;
    }
    table[bit / 8] ^= flip;
  }
}

TEST(ManifestFormat, NFR3_2_PiecesOfTheWrongSizeAreCorrupt) {
  const EncodedManifest large = encoded(samples::large_manifest());
  const ManifestHead head = *decode_manifest_head(large.bytes);
  for (const bool longer : {false, true}) {
    Pieces pieces(large);
    std::string& piece = pieces.of(head.chunk_list.pieces.front());
    if (longer) {
      piece.push_back('x');
    } else {
      piece.pop_back();
    }
    const auto read = decode_chunk_list(head, pieces.fetch());
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().code, ErrorCode::store_corrupt);
    EXPECT_EQ(read.error().context, head.chunk_list.pieces.front().hex());
  }
}

TEST(ManifestFormat, NFR3_2_PiecesThatContradictTheHeadAreCorrupt) {
  const EncodedManifest large = encoded(samples::large_manifest());
  Pieces pieces(large);
  const auto failing = [&](const std::function<void(ManifestHead&)>& change) {
    ManifestHead head = *decode_manifest_head(large.bytes);
    change(head);
    const auto read = decode_manifest(head, pieces.fetch());
    return read ? std::string() : describe(read.error());
  };
  EXPECT_THAT(failing([](auto& h) { h.nar_bytes += 1; }), HasSubstr("chunk list: chunk sizes"));
  EXPECT_THAT(failing([](auto& h) { h.nar_bytes -= 1; }), HasSubstr("chunk list: chunk sizes"));
  EXPECT_THAT(failing([](auto& h) { h.chunk_count -= 1; }), HasSubstr("bytes follow a chunk list"));
  EXPECT_THAT(failing([](auto& h) { h.chunk_count += 1; }), HasSubstr("cut off"));
  EXPECT_THAT(failing([](auto& h) { h.chunk_count = ~0ULL; }), HasSubstr("more chunks than bytes"));
  EXPECT_THAT(failing([](auto& h) { h.entry_count = 1; }),
              AllOf(HasSubstr("entry table: "), HasSubstr("more entries than bytes")));
}

TEST(ManifestFormat, ErrorsOfFetchingComeThrough) {
  const EncodedManifest large = encoded(samples::large_manifest());
  const EncodedManifest none;
  Pieces pieces(none);
  const auto read = decoded(large.bytes, pieces.fetch());
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, ErrorCode::store_chunk_missing);
}

TEST(ManifestFormat, RefusesToWriteWhatItCouldNotRead) {
  const auto message = [](const std::function<void(Manifest&)>& change) {
    Manifest manifest = samples::tree_manifest();
    change(manifest);
    const auto result = encode_manifest(manifest, HashAlgorithm::blake3());
    if (result) return std::string("no error");
    EXPECT_EQ(result.error().code, ErrorCode::invalid_argument);
    return describe(result.error());
  };
  EXPECT_EQ(message([](Manifest&) {}), "no error");
  EXPECT_THAT(message([](auto& m) { m.nar_bytes += 1; }), HasSubstr("do not add up"));
  EXPECT_THAT(message([](auto& m) { m.nar_bytes -= 1; }), HasSubstr("do not add up"));
  EXPECT_THAT(message([](auto& m) { m.chunks[0].size_bytes = 0; }), HasSubstr("do not add up"));
  EXPECT_THAT(message([](auto& m) { m.nar_bytes = kNarBytesMax + 1; }), HasSubstr("any file"));
  EXPECT_THAT(message([](auto& m) { m.recipe.version = 2; }), HasSubstr("recipe"));
  EXPECT_THAT(message([](auto& m) { m.recipe.algorithm = ChunkingAlgorithm{0}; }),
              HasSubstr("recipe"));
  EXPECT_THAT(message([](auto& m) { m.recipe.nar_mode = NarMode{3}; }), HasSubstr("recipe"));
  EXPECT_THAT(message([](auto& m) { std::swap(m.entries[3], m.entries[4]); }),
              HasSubstr("bin/shadow: an entry begins inside"));
  EXPECT_THAT(message([](auto& m) { m.entries.erase(m.entries.begin()); }), HasSubstr("root"));
  EXPECT_THAT(message([](auto& m) { m.entries.erase(m.entries.begin() + 1); }),
              HasSubstr("bin/sh: an entry's parent"));
  EXPECT_THAT(message([](auto& m) { m.entries.back().path = "lib"; }), HasSubstr("ascend"));
  EXPECT_THAT(message([](auto& m) { m.entries.back().path = "/z"; }), HasSubstr("parent"));
  EXPECT_THAT(message([](auto& m) { m.entries.back().path = ".."; }), HasSubstr("name"));
  EXPECT_THAT(message([](auto& m) { m.entries.back().path = "zz/"; }), HasSubstr("parent"));
  EXPECT_THAT(message([](auto& m) { m.entries.back().path = std::string(256, 'z'); }),
              HasSubstr("name"));
  EXPECT_THAT(message([](auto& m) { m.entries.back().size_bytes = ~0ULL; }), HasSubstr("beyond"));
  EXPECT_THAT(message([](auto& m) { m.entries[9].size_bytes += 1; }), HasSubstr("4095"));
  EXPECT_THAT(message([](auto& m) {
                m.references = samples::references_manifest().references;
                m.references.positions[1].offset_bytes = m.nar_bytes - 31;
              }),
              HasSubstr("reference"));
}

TEST(ManifestFormat, PathsAreAsLongAsInAnArchiveAndNoLonger) {
  std::vector<NarEntry> entries{{"", directory, false, 24, 0}};
  std::string path;
  while (path.size() + 200 < kNarPathBytesMax) {
    path.append(path.empty() ? "" : "/").append(150, 'd');
    entries.push_back({path, directory, false, entries.back().offset_bytes + 300, 0});
  }
  path.push_back('/');
  path.append(kNarPathBytesMax - path.size(), 'f');
  entries.push_back({path, regular, false, entries.back().offset_bytes + 300, 0});
  ByteBuffer table;
  ASSERT_TRUE(encode_entries(entries, 1 << 20, table));
  EXPECT_EQ(decode_entries(table, entries.size(), 1 << 20), entries);
  entries.back().path.push_back('f');
  ByteBuffer refused;
  const auto result = encode_entries(entries, 1 << 20, refused);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().what, "an entry's path is longer than 4095 bytes");
}

// A directory whose path is 4004 bytes long, and `count` files in it with names of four letters.
std::vector<NarEntry> files_far_down(std::size_t count) {
  std::vector<NarEntry> entries{{"", directory, false, 24, 0}};
  for (int i = 0; i < 20; ++i) {
    const NarEntry& parent = entries.back();
    const std::string path =
        parent.path + (i == 0 ? "" : "/") + std::string(i == 0 ? 204 : 199, 'd');
    entries.push_back({path, directory, false, parent.offset_bytes + 300, 0});
  }
  const std::string parent = entries.back().path;
  for (std::size_t i = 0; i < count; ++i) {
    std::string path = parent + "/aaaa";
    for (std::size_t digit = 0, rest = i; digit < 4; ++digit, rest /= 26) {
      path[path.size() - 1 - digit] = static_cast<char>('a' + rest % 26);
    }
    entries.push_back({path, regular, false, entries.back().offset_bytes + 200, 0});
  }
  return entries;
}

// 4400 such files take 40 KB of table and name 17.6 MB of paths: within the bound. 5000 are beyond it.
TEST(ManifestFormat, NFR3_2_ATableCannotNameFarMoreBytesThanItHas) {
  const std::uint64_t nar_bytes = 1 << 30;
  const auto entries = files_far_down(4400);
  ByteBuffer table;
  ASSERT_TRUE(encode_entries(entries, nar_bytes, table));
  EXPECT_EQ(decode_entries(table, entries.size(), nar_bytes), entries);
  ByteBuffer refused;
  const auto encoded = encode_entries(files_far_down(5000), nar_bytes, refused);
  ASSERT_FALSE(encoded);
  EXPECT_EQ(encoded.error().code, ErrorCode::invalid_argument);
  const auto read = decode_entries(refused, 5021, nar_bytes);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, ErrorCode::store_corrupt);
  EXPECT_EQ(read.error().what, "an archive's paths are too long for their number");
}

// Random trees, written in archive order.
class RandomManifest {
 public:
  explicit RandomManifest(unsigned seed) : random_(seed) {}

  Manifest next() {
    Manifest manifest;
    manifest.nar_sha256 = blake3(std::to_string(random_()));
    manifest.recipe.algorithm = ChunkingAlgorithm{static_cast<std::uint8_t>(1 + below(3))};
    manifest.recipe.min_bytes = number();
    manifest.recipe.seed = number();
    manifest.recipe.header_chunk = below(2) == 0;
    manifest.recipe.nar_mode = NarMode{static_cast<std::uint8_t>(below(3))};
    manifest.recipe.prefer_sections = below(4) == 0;
    manifest.recipe.dedup_hint = below(4) == 0;
    manifest.recipe.prefer_definitions = below(4) == 0;
    manifest.recipe.prefer_lines = below(4) == 0;
    end_ = 0;
    add("", manifest.entries, 0);
    std::uint64_t rest = manifest.nar_bytes = end_ + 16 + below(1000);
    while (rest != 0) {
      const std::uint64_t size = 1 + number() % std::min<std::uint64_t>(rest, 1 << 30);
      manifest.chunks.push_back({blake3(std::to_string(random_())), size});
      rest -= size;
    }
    return manifest;
  }

 private:
  std::uint64_t below(std::uint64_t end) { return random_() % end; }
  std::uint64_t number() { return random_() >> below(64); }

  void add(std::string path, std::vector<NarEntry>& entries, int depth) {
    const bool is_directory = depth < 6 && below(3) == 0;
    NarEntry entry{.path = path,
                   .type = is_directory    ? directory
                           : below(4) == 0 ? symlink
                                           : regular};
    entry.offset_bytes = end_ + 1 + below(300);
    if (entry.type == symlink) entry.size_bytes = 1 + below(kNarTargetBytesMax);
    if (entry.type == regular) entry.size_bytes = number() >> 30;
    entry.executable = entry.type == regular && below(2) == 0;
    end_ = entry.offset_bytes + entry.size_bytes;
    entries.push_back(entry);
    if (!is_directory) return;
    for (const auto& [name, ignored] : names()) {
      add(path.empty() ? name : path + "/" + name, entries, depth + 1);
    }
  }

  // Few different characters, so that names share beginnings and hold ones around '/'.
  std::map<std::string, int> names() {
    static constexpr std::string_view kCharacters{"ab.-0\x01\xff", 7};
    std::map<std::string, int> names;
    for (std::uint64_t i = below(12); i > 0; --i) {
      std::string name(1 + below(6), 'a');
      for (char& c : name) c = kCharacters[below(kCharacters.size())];
      if (name != "." && name != "..") names[name] = 0;
    }
    return names;
  }

  std::mt19937_64 random_;
  std::uint64_t end_ = 0;
};

TEST(ManifestFormat, EveryManifestRoundTrips) {
  RandomManifest random(1);
  std::size_t entry_count = 0;
  for (int i = 0; i < 1000; ++i) {
    const Manifest manifest = random.next();
    entry_count += manifest.entries.size();
    const EncodedManifest result = encoded(manifest);
    Pieces pieces(result);
    const auto read = decoded(result.bytes, pieces.fetch());
    ASSERT_TRUE(read) << describe(read.error());
    ASSERT_EQ(*read, manifest);
    const EncodedManifest again = encoded(*read);
    ASSERT_EQ(text_of(again.bytes), text_of(result.bytes));
  }
  EXPECT_GT(entry_count, 10000U) << "the trees are too small to show anything";
}

}  // namespace
}  // namespace chunker::store
