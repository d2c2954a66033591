#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/hex.hpp"
#include "base/wire.hpp"
#include "chunker/hash.hpp"
#include "chunker/manifest.hpp"
#include "store/pack.hpp"

// The packs and manifests of vectors/formats/, built anew: the same samples as in
// tools/make_format_vectors.py, which shares no code with us.
namespace chunker::store::samples {

inline std::string read_file(std::string_view path) {
  std::ifstream file(std::string(CHUNKER_SOURCE_DIR "/").append(path), std::ios::binary);
  EXPECT_TRUE(file) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

inline std::string vector(std::string_view name) {
  return read_file(std::string("vectors/formats/").append(name));
}

inline Digest blake3(std::string_view text) { return HashAlgorithm::blake3().hash(bytes_of(text)); }
inline Digest sha256(std::string_view text) { return HashAlgorithm::sha256().hash(bytes_of(text)); }

inline std::string tiny_nar() {
  std::string nar;
  for (const std::string_view token :
       {"nix-archive-1", "(", "type", "regular", "contents", "hello\n", ")"}) {
    ByteBuffer size;
    base::append_le(size, static_cast<std::uint64_t>(token.size()));
    nar.append(text_of(size)).append(token).append((8 - token.size() % 8) % 8, '\0');
  }
  return nar;
}

inline Manifest tiny_manifest() {
  const std::string nar = tiny_nar();
  return {.nar_sha256 = sha256(nar),
          .nar_bytes = nar.size(),
          .recipe = {},
          .chunks = {{blake3(nar), nar.size()}},
          .entries = {{.path = "", .offset_bytes = nar.find("hello\n"), .size_bytes = 6}}};
}

inline FrameRecord tiny_frame() {
  const std::string nar = tiny_nar();
  return {.payload_bytes = nar.size(), .chunks = {{blake3(nar), nar.size()}}};
}

inline PackDirectory tiny_directory() {
  const std::string nar = tiny_nar();
  return {.sequence = 1,
          .records = {tiny_frame(),
                      ManifestRecord{.payload_bytes = vector("tiny.manifest").size(),
                                     .nar_sha256 = sha256(nar),
                                     .nar_bytes = nar.size(),
                                     .chunk_count = 1},
                      NameRecord{.name = "hello.nar",
                                 .nar_sha256 = sha256(nar),
                                 .added_unix_seconds = 1767225600}}};
}

/// A chunk, and a delta whose base is that chunk twice.
inline PackDirectory delta_directory() {
  std::string bytes;
  for (std::size_t i = 0; i < 5001; ++i) bytes.push_back(static_cast<char>(i * i % 251));
  const Digest base = blake3(bytes.substr(0, 5000));
  return {.sequence = 7,
          .records = {FrameRecord{.payload_bytes = 5000, .chunks = {{base, 5000}}},
                      FrameRecord{.payload_bytes = 5011,
                                  .codec = CodecId::zstd,
                                  .flags = kDeltaFrame,
                                  .chunks = {{blake3(bytes), 5001}},
                                  .base = {base, base}}}};
}

inline PackDirectory object_directory() { return {.sequence = 300, .records = {tiny_frame()}}; }

inline PackDirectory records_directory() {
  std::string alone;
  for (std::size_t i = 0; i < 70000; ++i) alone.push_back(static_cast<char>(i * i % 251));
  const std::string a(100, 'a');
  const std::string b(200, 'b');
  const std::string c(16384, 'c');
  return {.sequence = kSequenceMax,
          .records = {
              NameRecord{.name = "x", .nar_sha256 = sha256("x")},
              FrameRecord{.payload_bytes = 56,
                          .codec = CodecId::bzip2,
                          .chunks = {{blake3(a), 100}, {blake3(b), 200}, {blake3(c), 16384}}},
              RemovalRecord{.name = "x"},
              ManifestRecord{.payload_bytes = vector("tree.manifest").size(),
                             .nar_sha256 = sha256("tree"),
                             .nar_bytes = 1000000,
                             .chunk_count = 3},
              FrameRecord{
                  .payload_bytes = 7, .codec = CodecId{65535}, .chunks = {{blake3(alone), 70000}}},
              NameRecord{.name = "\xff not UTF-8 \x01" + std::string(4082, 'n'),
                         .nar_sha256 = sha256("y"),
                         .added_unix_seconds = ~std::uint64_t{0}},
              RemovalRecord{.name = std::string(4096, 'n')}}};
}

/// The smallest, but cut with landmarks.
inline Manifest landmarks_manifest() {
  return {.nar_sha256 = sha256("landmarks"),
          .nar_bytes = 1,
          .recipe = {.prefer_sections = true, .dedup_hint = true, .prefer_lines = true},
          .chunks = {{blake3("1"), 1}},
          .entries = {}};
}

/// The script of doc/format/references.md 40 times, with its references taken out.
inline Manifest references_manifest() {
  const std::string bash = "kpcd173cq987hw957sx6m0868wv3x6d9",
                    sed = "y5q4drg5558zk8aamsx6xliv3i23x644";
  const std::string filler(kStoreHashCharacters, 'e');
  const auto script = [](const std::string& shell, const std::string& editor) {
    return "#!/nix/store/" + shell + "-bash/bin/sh\nexec /nix/store/" + editor +
           "-sed/bin/sed -f /nix/store/" + shell + "-bash/f\n";
  };
  Manifest manifest;
  std::string original, normalized;
  for (std::uint64_t i = 0; i < 40; ++i) {
    for (const auto& [at, hash] : {std::pair{13, 0}, {74, 1}, {133, 0}}) {
      manifest.references.positions.push_back(
          {original.size() + static_cast<std::uint64_t>(at), static_cast<std::uint32_t>(hash)});
    }
    original += script(bash, sed);
    normalized += script(filler, filler);
  }
  for (const std::string& hash : {bash, sed}) {
    manifest.references.hashes.push_back(
        *StoreHash::parse(bytes_of(hash).first<kStoreHashCharacters>()));
  }
  manifest.nar_sha256 = sha256(original);
  manifest.nar_bytes = original.size();
  manifest.chunks = {{blake3(normalized), normalized.size()}};
  return manifest;
}

inline Manifest tree_manifest() {
  using enum NarEntryType;
  const std::string long_name(40, 'd');
  return {.nar_sha256 = sha256("tree"),
          .nar_bytes = 1000000,
          .recipe = {.algorithm = ChunkingAlgorithm::rabin_karp,
                     .version = 1,
                     .min_bytes = 1,
                     .avg_bytes = 300,
                     .max_bytes = 65537,
                     .normalization = 3,
                     .seed = ~std::uint64_t{0},
                     .nar_mode = NarMode::biased,
                     .header_chunk = true},
          .chunks = {{blake3("1"), 1}, {blake3("2"), 299999}, {blake3("3"), 700000}},
          .entries = {{"", directory, false, 24, 0},
                      {"bin", directory, false, 200, 0},
                      {"bin/sh", symlink, false, 500, 4},
                      {"bin/shadow", regular, true, 700, 500000},
                      {"bin/z\xff", regular, false, 500900, 0},
                      {"empty", directory, false, 501200, 0},
                      {"lib", directory, false, 501400, 0},
                      {"lib/" + long_name, directory, false, 501800, 0},
                      {"lib/" + long_name + "/deep", regular, false, 502600, 1},
                      {"lib-2", symlink, false, 503000, 4095},
                      {"lib0", regular, false, 508000, 400000}}};
}

inline Manifest large_manifest() {
  Manifest manifest;
  manifest.nar_sha256 = sha256("large");
  for (std::uint64_t i = 0; i < 9000; ++i) {
    ChunkReference chunk{.digest = {}, .size_bytes = i * i * 977 % 2000003 + 1};
    for (std::uint64_t j = 0; j < Digest::kBytes; ++j) {
      chunk.digest.bytes[j] = static_cast<std::byte>(i * 7 + j * 13);
    }
    manifest.nar_bytes += chunk.size_bytes;
    manifest.chunks.push_back(chunk);
  }
  return manifest;
}

/// One line of rejected.txt: bytes that nobody may read.
struct Rejected {
  std::string format;
  std::uint64_t payload_end = 0;
  ByteBuffer bytes;
  std::string reason;
};

inline std::vector<Rejected> rejected(std::string_view format) {
  std::vector<Rejected> found;
  std::ifstream file(CHUNKER_SOURCE_DIR "/vectors/formats/rejected.txt");
  std::string line;
  std::getline(file, line);  // what the columns are
  for (Rejected row; file >> row.format >> row.payload_end >> line;) {
    if (line == "-") line.clear();
    row.bytes.resize(line.size() / 2);
    EXPECT_TRUE(base::from_hex(line, row.bytes.span())) << line;
    std::getline(file, row.reason);
    if (row.format == format) found.push_back(std::move(row));
  }
  return found;
}

}  // namespace chunker::store::samples
