#include "store/pack.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <regex>

#include "chunker/codec.hpp"
#include "store/blob_memory.hpp"
#include "store/format_samples.hpp"
#include "store/manifest_format.hpp"

namespace chunker::store {
namespace {

using samples::blake3;
using samples::sha256;
using ::testing::HasSubstr;

std::uint64_t payload_end_of(const PackDirectory& directory) {
  std::uint64_t end = kPackMagicBytes;
  for (const PackRecord& record : directory.records) end += payload_bytes(record);
  return end;
}

std::string encoded(const PackDirectory& directory) {
  const ByteBuffer end = encode_pack_end(directory, payload_end_of(directory));
  return std::string(text_of(end.view().first(end.size() - kPackTrailerBytes)));
}

Result<PackDirectory> decoded(std::string_view directory, std::uint64_t payload_end) {
  return decode_directory(bytes_of(directory), payload_end);
}

// A pack whose payloads are all zeros: reading directories does not look at them.
std::string pack_of(const PackDirectory& directory) {
  std::string pack(text_of(pack_magic()));
  pack.resize(payload_end_of(directory), '\0');
  return pack.append(text_of(encode_pack_end(directory, pack.size())));
}

// Reads `pack` as a blob under `key`.
Result<PackDirectory> read_as(std::string_view key, std::string_view pack) {
  MemoryBlobStore blobs;
  auto writer = *blobs.create();
  EXPECT_TRUE(writer->append(bytes_of(pack)));
  EXPECT_TRUE(writer->commit(key));
  return read_pack_directory(blobs, key, pack.size());
}

// Bytes of a trailer field, counted from the end of the pack.
constexpr std::size_t kOffsetFromEnd = 56;
constexpr std::size_t kSizeFromEnd = 48;
constexpr std::size_t kDigestFromEnd = 40;

struct Golden {
  std::string name;
  PackDirectory directory;
};

std::vector<Golden> golden_packs() {
  return {{"tiny.pack", samples::tiny_directory()},
          {"records.pack", samples::records_directory()},
          {"object.pack", samples::object_directory()},
          {"delta.pack", samples::delta_directory()}};
}

TEST(Pack, ReadsAndWritesTheGoldenFilesByteForByte) {
  for (const Golden& golden : golden_packs()) {
    SCOPED_TRACE(golden.name);
    const std::string pack = samples::vector(golden.name);
    EXPECT_TRUE(pack.starts_with(text_of(pack_magic())));
    const std::uint64_t payload_end = payload_end_of(golden.directory);
    EXPECT_EQ(pack.substr(payload_end), text_of(encode_pack_end(golden.directory, payload_end)));
    const auto read = read_as(pack_key(pack_digest(golden.directory)), pack);
    ASSERT_TRUE(read) << describe(read.error());
    EXPECT_EQ(*read, golden.directory);
  }
}

TEST(Pack, PayloadsOfTheGoldenFilesLieWhereTheirRecordsSay) {
  const std::string tiny = samples::vector("tiny.pack");
  const std::string nar = samples::tiny_nar();
  EXPECT_EQ(tiny.substr(kPackMagicBytes, nar.size()), nar);
  EXPECT_EQ(tiny.substr(kPackMagicBytes + nar.size(), 118), samples::vector("tiny.manifest"));
  EXPECT_EQ(samples::vector("object.pack").substr(kPackMagicBytes, nar.size()), nar);

  const std::string records = samples::vector("records.pack");
  EXPECT_EQ(records.substr(kPackMagicBytes + 56, 223), samples::vector("tree.manifest"));
}

// The worked example of the specification is the golden file, so that the text cannot go stale.
TEST(Pack, TheSpecificationExplainsTheGoldenFile) {
  const std::string text = samples::read_file("doc/format/pack.md");
  const std::regex dump_line("\n[0-9a-f]{6}  ((?:[0-9a-f]{2} ?)*)");
  std::string hex;
  for (std::sregex_iterator line(text.begin(), text.end(), dump_line), end; line != end; ++line) {
    hex += std::regex_replace((*line)[1].str(), std::regex(" "), "");
  }
  EXPECT_EQ(hex, base::to_hex(bytes_of(samples::vector("tiny.pack"))));
}

TEST(Pack, NFR3_2_RejectsEveryDirectoryOfTheList) {
  const auto rejected = samples::rejected("directory");
  ASSERT_GT(rejected.size(), 30U);
  for (const auto& row : rejected) {
    const auto read = decode_directory(row.bytes, row.payload_end);
    ASSERT_FALSE(read) << row.reason;
    const bool later_version = row.reason.contains("later version");
    EXPECT_EQ(read.error().code,
              later_version ? ErrorCode::store_version : ErrorCode::store_corrupt)
        << row.reason << ": " << describe(read.error());
    EXPECT_LE(read.error().offset_bytes, row.bytes.size()) << row.reason;
  }
}

TEST(Pack, NFR3_2_RejectsEveryTruncationOfADirectory) {
  for (const Golden& golden : golden_packs()) {
    const std::string whole = encoded(golden.directory);
    for (std::size_t size = 0; size < whole.size(); ++size) {
      const auto read = decoded(whole.substr(0, size), payload_end_of(golden.directory));
      ASSERT_FALSE(read) << golden.name << " cut at " << size;
      ASSERT_EQ(read.error().code, ErrorCode::store_corrupt);
      ASSERT_LE(read.error().offset_bytes, size);
    }
  }
}

// The digest is not part of this call, so a flipped bit may give another directory; then that one is
// spelled with exactly these bytes.
TEST(Pack, NFR3_2_ADirectoryWithAFlippedBitFailsOrIsAnotherOne) {
  for (const Golden& golden : golden_packs()) {
    std::string bytes = encoded(golden.directory);
    for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
      const char flip = static_cast<char>(1 << bit % 8);
      bytes[bit / 8] ^= flip;
      const auto read = decoded(bytes, payload_end_of(golden.directory));
      if (read) {
        ASSERT_NE(*read, golden.directory) << golden.name << " bit " << bit;
        ASSERT_EQ(encoded(*read), bytes) << golden.name << " bit " << bit;
      }
      bytes[bit / 8] ^= flip;
    }
  }
}

TEST(Pack, NFR3_2_RejectsEveryTruncationOfAPack) {
  const std::string whole = samples::vector("tiny.pack");
  const std::string key = pack_key(pack_digest(samples::tiny_directory()));
  ASSERT_TRUE(read_as(key, whole));
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const auto read = read_as(key, whole.substr(0, size));
    ASSERT_FALSE(read) << size;
    ASSERT_EQ(read.error().code, ErrorCode::store_corrupt) << size;
    ASSERT_EQ(read.error().context, key);
  }
  EXPECT_FALSE(read_as(key, whole + '\0'));
}

// Only payloads are not covered here: they have digests of their own.
TEST(Pack, NFR3_2_RejectsEveryFlippedBitOutsideThePayloads) {
  std::string pack = samples::vector("tiny.pack");
  const PackDirectory directory = samples::tiny_directory();
  const std::string key = pack_key(pack_digest(directory));
  const std::size_t payload_end = payload_end_of(directory);
  for (std::size_t bit = 0; bit < pack.size() * 8; ++bit) {
    const char flip = static_cast<char>(1 << bit % 8);
    pack[bit / 8] ^= flip;
    const auto read = read_as(key, pack);
    const bool in_payloads = bit / 8 >= kPackMagicBytes && bit / 8 < payload_end;
    ASSERT_EQ(read.has_value(), in_payloads) << "bit " << bit;
    pack[bit / 8] ^= flip;
  }
}

TEST(Pack, AnotherVersionIsNotCorruption) {
  std::string pack = samples::vector("tiny.pack");
  const std::string key = pack_key(pack_digest(samples::tiny_directory()));
  pack[7] = 2;
  pack.back() ^= 1;
  const auto read = read_as(key, pack);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error(), (Error{ErrorCode::store_version, "a pack of another version", 7, key}));
}

TEST(Pack, NFR3_2_AVersionThatNothingElseAgreesWithIsCorruption) {
  std::string pack = samples::vector("tiny.pack");
  const std::string key = pack_key(pack_digest(samples::tiny_directory()));
  pack[7] = 2;
  const auto read = read_as(key, pack);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error(),
            (Error{ErrorCode::store_corrupt, "the version of a pack is damaged", 7, key}));
}

TEST(Pack, NFR3_2_RejectsATrailerThatDoesNotFitTheBlob) {
  const PackDirectory directory = samples::tiny_directory();
  const std::string good = pack_of(directory);
  const std::string key = pack_key(pack_digest(directory));
  const auto with = [&](std::size_t from_end, std::uint64_t value) {
    std::string pack = good;
    base::store_le(value, reinterpret_cast<std::byte*>(pack.data() + pack.size() - from_end));
    return read_as(key, pack);
  };
  const std::uint64_t end = payload_end_of(directory);
  const std::uint64_t size = good.size() - kPackTrailerBytes - end;
  ASSERT_TRUE(with(kOffsetFromEnd, end));
  for (const std::uint64_t offset : {std::uint64_t{0}, end - 1, end + 1, ~std::uint64_t{0}}) {
    EXPECT_FALSE(with(kOffsetFromEnd, offset)) << offset;
  }
  ASSERT_TRUE(with(kSizeFromEnd, size));
  for (const std::uint64_t other :
       {size - 1, size + 1, ~std::uint64_t{0}, ~std::uint64_t{0} - end}) {
    EXPECT_FALSE(with(kSizeFromEnd, other)) << other;
  }
  const auto wrong_digest = with(kDigestFromEnd, 1);
  ASSERT_FALSE(wrong_digest);
  EXPECT_THAT(describe(wrong_digest.error()), HasSubstr("does not hash to its digest"));
}

TEST(Pack, FaultsInADirectoryAreReportedWhereTheyLieInTheBlob) {
  // A removal with a NUL in its name, with a digest that fits.
  std::string pack(text_of(pack_magic()));
  const std::string directory(
      "\x01\x01\x04\x03"
      "a\0b",
      7);
  ByteBuffer trailer;
  base::append_le(trailer, std::uint64_t{8});
  base::append_le(trailer, std::uint64_t{7});
  trailer.append(blake3(directory).view());
  pack.append(directory).append(text_of(trailer)).append("CKPACKED");
  const auto read = read_as("packs/x", pack);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error(),
            (Error{ErrorCode::store_corrupt, "a name contains a NUL", 8 + 2, "packs/x"}));
}

TEST(Pack, LiesUnderItsOwnKeyOnly) {
  const std::string pack = samples::vector("tiny.pack");
  EXPECT_EQ(pack_key(pack_digest(samples::tiny_directory())),
            "packs/2d/2d924d2f8e1944e8d26d0f105e6956e70a361c83fd795484232d1bb0a484b89f");
  const auto elsewhere = read_as(pack_key(blake3("another")), pack);
  ASSERT_FALSE(elsewhere);
  EXPECT_EQ(elsewhere.error().code, ErrorCode::store_corrupt);
  EXPECT_FALSE(read_as(chunk_key(blake3(samples::tiny_nar())), pack));
}

TEST(Pack, R13_6_AChunkObjectLiesUnderTheDigestOfItsChunk) {
  const std::string pack = samples::vector("object.pack");
  const Digest digest = blake3(samples::tiny_nar());
  EXPECT_EQ(chunk_key(digest), "chunks/c0/" + digest.hex());
  EXPECT_TRUE(read_as(chunk_key(digest), pack));
  EXPECT_FALSE(read_as(chunk_key(blake3("another")), pack));
}

TEST(Pack, AnAbsentBlobIsNotFound) {
  MemoryBlobStore blobs;
  const auto read = read_pack_directory(blobs, "packs/x", 1000);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, ErrorCode::store_not_found);
}

// Random directories with numbers of every width.
class RandomDirectory {
 public:
  explicit RandomDirectory(unsigned seed) : random_(seed) {}

  PackDirectory next() {
    PackDirectory directory{.sequence = 1 + number() % kSequenceMax, .records = {}};
    for (std::uint64_t i = below(20); i > 0; --i) directory.records.push_back(record());
    return directory;
  }

 private:
  std::uint64_t below(std::uint64_t end) { return random_() % end; }
  std::uint64_t number() { return random_() >> below(64); }
  Digest digest() {
    Digest digest;
    for (std::byte& byte : digest.bytes) byte = static_cast<std::byte>(random_());
    return digest;
  }
  std::string text() {
    std::string text(1 + below(below(8) == 0 ? kNameBytesMax : 50), '\0');
    for (char& c : text) c = static_cast<char>(1 + below(255));
    return text;
  }
  FrameRecord frame() {
    FrameRecord frame;
    frame.codec = CodecId{static_cast<std::uint16_t>(number())};
    const std::uint64_t count = 1 + below(30);
    for (std::uint64_t i = 0; i < count; ++i) {
      const std::uint64_t size_max = count == 1 ? kFrameBytesMax : kSharedFrameBytesMax / count;
      frame.chunks.push_back({digest(), 1 + number() % size_max});
    }
    const bool raw = frame.codec == CodecId::none;
    frame.payload_bytes = raw ? frame.raw_bytes() : 1 + number() % kFrameBytesMax;
    return frame;
  }
  ManifestRecord manifest() {
    ManifestRecord manifest{.payload_bytes = 1 + number() % kManifestBytesMax,
                            .nar_sha256 = digest(),
                            .nar_bytes = number() % kNarBytesMax};
    if (manifest.nar_bytes > 0) manifest.chunk_count = 1 + number() % manifest.nar_bytes;
    return manifest;
  }
  PackRecord record() {
    switch (below(4)) {
      case 0:
        return frame();
      case 1:
        return manifest();
      case 2:
        return NameRecord{text(), digest(), number()};
      default:
        return RemovalRecord{text()};
    }
  }

  std::mt19937_64 random_;
};

TEST(Pack, EveryDirectoryRoundTrips) {
  RandomDirectory random(1);
  for (int i = 0; i < 2000; ++i) {
    const PackDirectory directory = random.next();
    const std::string bytes = encoded(directory);
    const auto read = decoded(bytes, payload_end_of(directory));
    ASSERT_TRUE(read) << describe(read.error());
    ASSERT_EQ(*read, directory);
    ASSERT_EQ(encoded(*read), bytes);
  }
}

TEST(Pack, DirectoryBytesAreWhatARecordAddsToADirectory) {
  RandomDirectory random(2);
  for (int i = 0; i < 200; ++i) {
    const PackDirectory directory = random.next();
    std::uint64_t sum = 0;
    for (const PackRecord& record : directory.records) sum += directory_bytes(record);
    PackDirectory empty{.sequence = directory.sequence, .records = {}};
    EXPECT_EQ(encoded(directory).size(), encoded(empty).size() + sum);
  }
}

TEST(Pack, ChecksWhatTheFormatCannotHold) {
  const auto code = [](const PackRecord& record) {
    const auto checked = check_record(record);
    return checked ? "" : std::string(name(checked.error().code));
  };
  EXPECT_EQ(code(RemovalRecord{std::string(4096, 'n')}), "");
  EXPECT_EQ(code(RemovalRecord{std::string(4097, 'n')}), "invalid_argument");
  EXPECT_EQ(code(RemovalRecord{""}), "invalid_argument");
  EXPECT_EQ(code(NameRecord{.name = std::string("a\0b", 3), .nar_sha256 = {}}), "invalid_argument");
  EXPECT_EQ(code(samples::tiny_frame()), "");
  FrameRecord flagged = samples::tiny_frame();
  flagged.flags = 2;
  EXPECT_EQ(code(flagged), "store_version");
  FrameRecord delta{
      .payload_bytes = 5, .codec = CodecId::zstd, .flags = kDeltaFrame, .chunks = {{{}, 4 << 20}}};
  EXPECT_EQ(code(delta), "invalid_argument");
  delta.base.resize(kBaseChunksMax);
  EXPECT_EQ(code(delta), "");
  delta.base.resize(kBaseChunksMax + 1);
  EXPECT_EQ(code(delta), "invalid_argument");
  delta.base.resize(1);
  delta.chunks[0].size_bytes += 1;
  EXPECT_EQ(code(delta), "invalid_argument");
  flagged.flags = 0;
  flagged.base.resize(1);
  EXPECT_EQ(code(flagged), "invalid_argument");
  FrameRecord shared{
      .payload_bytes = 5, .codec = CodecId::zstd, .chunks = {{{}, 1}, {{}, (1 << 20) - 1}}};
  EXPECT_EQ(code(shared), "");
  shared.chunks.push_back({{}, 1});
  EXPECT_EQ(code(shared), "invalid_argument");
  EXPECT_EQ(code(ManifestRecord{.payload_bytes = 1, .nar_sha256 = {}, .nar_bytes = 10}),
            "invalid_argument");
}

TEST(PackDeathTest, NothingIsWrittenThatNobodyCouldRead) {
  PackDirectory directory{.sequence = 1, .records = {RemovalRecord{""}}};
  EXPECT_DEATH((void)encode_pack_end(directory, kPackMagicBytes), "check_record");
  directory.records = {samples::tiny_frame()};
  EXPECT_DEATH((void)encode_pack_end(directory, kPackMagicBytes), "payload_end");
  directory.sequence = 0;
  EXPECT_DEATH((void)pack_digest(directory), "sequence");
}

}  // namespace
}  // namespace chunker::store
