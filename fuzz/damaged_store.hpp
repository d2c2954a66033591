#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/check.hpp"
#include "chunker/ingest.hpp"
#include "pack_pieces.hpp"
#include "scratch_store.hpp"
#include "store/blob_local.hpp"
#include "store/pack.hpp"

// A store, and what can be done to its packs in a few bytes: to records, behind checksums that are right again, or to
// files as they are.

namespace chunker::fuzz {

namespace fs = std::filesystem;

inline constexpr unsigned kStepBytes = 5;
inline constexpr std::size_t kStepsMax = 12;

struct Step {
  unsigned what, pack, record, where, value;
};

inline std::string words(unsigned from, unsigned count) {
  std::string text;
  for (unsigned i = from; i < from + count; ++i) text += "word" + std::to_string(i * i % 977) + ' ';
  return text;
}

inline std::string noise(std::uint32_t seed, std::size_t size) {
  std::string bytes;
  for (; bytes.size() < size; seed = seed * 1664525 + 1013904223)
    bytes.push_back(static_cast<char>(seed >> 24));
  return bytes;
}

/// Deltas, references, chunks that several NARs have, chunks that share a frame, chunks that do not compress.
inline const std::map<std::string, std::string>& nars() {
  static const std::map<std::string, std::string> kNars = {
      {"noise", nar_of(noise(1, 5000))},
      {"references", nar_of(words(7, 100) + "/nix/store/0123456789abcdfghijklmnpqrsvwxyz-a " +
                            noise(2, 900) + words(3, 300))},
      {"tool-1", nar_of(words(1, 1500) + noise(3, 2000))},
      {"tool-2", nar_of(words(1, 900) + "new" + words(900, 500) + noise(3, 2000))},
  };
  return kNars;
}

inline StoreOptions for_writing(bool create = false) {
  return {.access = StoreAccess::write, .create = create, .pack_bytes_target = 6000};
}

/// Each in packs of its own.
inline void ingest_all(Store& store, const fs::path& scratch) {
  IngestOptions options;
  options.threads = 1;
  options.chunking.recipe.min_bytes = 256;
  options.chunking.recipe.avg_bytes = 1024;
  options.chunking.recipe.max_bytes = 4096;
  for (const auto& [name, nar] : nars()) {
    std::ofstream(scratch / name, std::ios::binary) << nar;
    const IngestSource source{IngestSource::Kind::nar_file, scratch / name, -1, {}};
    bool taken = false;
    const auto done =
        chunker::ingest(store, {&source, 1}, options,
                        [&](const auto&, const auto& result) { taken = result.has_value(); });
    CHUNKER_CHECK(done && taken);
  }
}

inline Digest with_other_bits(Digest digest, const Step& step) {
  digest.bytes[step.where % Digest::kBytes] ^= static_cast<std::byte>(step.value);
  return digest;
}

/// An unknown one may be a user's: where he is absent, nothing is repaired.
inline constexpr CodecId kCodecs[] = {CodecId::none, CodecId::zstd, CodecId::zstd_x86,
                                      CodecId::lz4,  CodecId::xz,   CodecId::bzip2};

inline void change(store::FrameRecord& frame, const Step& step) {
  ChunkReference& chunk = frame.chunks[step.where % frame.chunks.size()];
  switch (step.what / 16 % 8) {
    case 0:
      chunk.digest = with_other_bits(chunk.digest, step);
      break;
    case 1:
      chunk.size_bytes = (chunk.size_bytes ^ step.value) << (step.where % 32);
      break;
    case 2:
      frame.codec = kCodecs[step.value % std::size(kCodecs)];
      break;
    case 3:
      frame.flags ^= store::kDeltaFrame;
      break;
    case 4:
      frame.base.push_back(chunk.digest);
      break;
    case 5:
      frame.base.clear();
      break;
    case 6:
      frame.chunks.push_back(chunk);
      break;
    default:
      frame.chunks.erase(frame.chunks.begin() +
                         static_cast<std::ptrdiff_t>(step.where % frame.chunks.size()));
  }
}

inline void change(store::ManifestRecord& manifest, const Step& step) {
  switch (step.what / 16 % 4) {
    case 0:
      manifest.nar_sha256 = with_other_bits(manifest.nar_sha256, step);
      break;
    case 1:
      manifest.nar_bytes ^= step.value << step.where % 24;
      break;
    default:
      manifest.chunk_count ^= step.value << step.where % 24;
  }
}

inline void change(store::NameRecord& name, const Step& step) {
  switch (step.what / 16 % 4) {
    case 0:
      name.nar_sha256 = with_other_bits(name.nar_sha256, step);
      break;
    case 1:
      name.added_unix_seconds ^= std::uint64_t{step.value} << step.where % 64;
      break;
    default:
      name.name[step.where % name.name.size()] = static_cast<char>(step.value);
  }
}

inline void change(store::RemovalRecord& removal, const Step& step) {
  removal.name.push_back(static_cast<char>(step.value));
}

/// Steps that the format has no room for change nothing.
inline void change_record(Piece& piece, const Step& step) {
  Piece changed = piece;
  std::visit([&](auto& kind) { change(kind, step); }, changed.record);
  if (store::check_record(fuzz::with_payload(changed))) piece = std::move(changed);
}

inline void change_payload(Piece& piece, const Step& step) {
  if (piece.payload.empty()) return;
  piece.payload[step.where * piece.payload.size() / 256] ^= static_cast<char>(step.value);
}

inline void change_pieces(Pack& pack, const Pack& other, const Step& step) {
  const std::size_t at = step.record % pack.pieces.size();
  const auto place = pack.pieces.begin() + static_cast<std::ptrdiff_t>(at);
  switch (step.what % 8) {
    case 0:
      change_record(*place, step);
      break;
    case 1:
      change_payload(*place, step);
      break;
    case 2:
      pack.pieces.push_back(other.pieces[step.where % other.pieces.size()]);
      break;
    case 3:
      pack.pieces.push_back({store::RemovalRecord{nars().begin()->first}, {}});
      break;
    case 4:
      std::swap(place->payload, pack.pieces[step.where % pack.pieces.size()].payload);
      break;
    case 5:
      pack.sequence = 1 + step.value;
      break;
    case 6:
      place->payload.resize(place->payload.size() * step.where / 256);
      break;
    default:
      if (pack.pieces.size() > 1) pack.pieces.erase(place);
  }
}

/// The store that every input begins with, and the one that its steps are done to.
class Victim {
 public:
  Victim() {
    {
      auto store = Store::open(sound(), for_writing(true));
      CHUNKER_CHECK(store.has_value());
      ingest_all(*store, directory_.path());
    }
    store::LocalBlobStore blobs(sound());
    packs_ = fuzz::read_packs(blobs);
    CHUNKER_CHECK(packs_.size() >= nars().size());
  }

  [[nodiscard]] fs::path path() const { return directory_.path() / "victim"; }
  [[nodiscard]] const fs::path& scratch() const { return directory_.path(); }

  void suffer(std::span<const Step> steps) {
    fs::remove_all(path());
    fs::copy(sound(), path(), fs::copy_options::recursive);
    auto packs = packs_;
    std::set<std::size_t> changed;
    for (const Step& step : steps) {
      if (step.what >= kOfFiles) continue;
      const std::size_t at = step.pack % packs.size();
      change_pieces(packs[at], packs_[step.value % packs_.size()], step);
      changed.insert(at);
    }
    store::LocalBlobStore blobs(path());
    for (const std::size_t at : changed) {
      CHUNKER_CHECK(blobs.remove(packs[at].key).has_value());
      fuzz::write_pack(blobs, packs[at]);
    }
    for (const Step& step : steps) {
      if (step.what >= kOfFiles) change_file(packs, step);
    }
  }

 private:
  static constexpr unsigned kOfFiles = 128;
  static constexpr unsigned kIndex = 255;  ///< In place of a pack: the index is gone.

  [[nodiscard]] fs::path sound() const { return directory_.path() / "sound"; }

  void change_file(const std::vector<Pack>& packs, const Step& step) const {
    if (step.pack == kIndex) fs::remove_all(path() / "index");
    const fs::path file = path() / packs[step.pack % packs.size()].key;
    if (step.pack == kIndex || !fs::exists(file)) return;
    const std::uintmax_t size = fs::file_size(file);
    switch (step.what % 5) {
      case 0:
        fs::remove(file);
        break;
      case 1:
        fs::resize_file(file, size * step.where / 256);
        break;
      case 2:
        fs::resize_file(file, size + step.value);
        break;
      case 3:
        exchange(file, path() / packs[step.value % packs.size()].key);
        break;
      default:
        flip(file, size * (step.where * 256 + step.record) / 65536, step.value);
    }
  }

  void exchange(const fs::path& one, const fs::path& other) const {
    if (!fs::exists(other)) return;
    fs::rename(one, scratch() / "one");
    if (one != other) fs::rename(other, one);
    fs::rename(scratch() / "one", other);
  }

  static void flip(const fs::path& file, std::uintmax_t at, unsigned bits) {
    std::fstream bytes(file, std::ios::binary | std::ios::in | std::ios::out);
    bytes.seekg(static_cast<std::streamoff>(at));
    const int byte = bytes.get();
    bytes.seekp(static_cast<std::streamoff>(at));
    bytes.put(static_cast<char>(static_cast<unsigned>(byte) ^ bits));
  }

  fuzz::ScratchDirectory directory_;
  std::vector<Pack> packs_;
};

}  // namespace chunker::fuzz
