#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "chunker/bytes.hpp"
#include "chunker/digest.hpp"
#include "chunker/error.hpp"
#include "store/index.hpp"

// Keys and values of the index (doc/format/store.md, "Index keys"). A key is a letter, then what it is
// about; a value that breaks its format is store_corrupt.
namespace chunker::store::index_format {

inline constexpr std::uint64_t kVersion = 1;

inline constexpr std::string_view kSettingVersion = "version";
/// The number that the next pack gets; numbers are never used again.
inline constexpr std::string_view kSettingNextPack = "next_pack";
/// The highest sequence that any pack ever had.
inline constexpr std::string_view kSettingSequence = "sequence";

[[nodiscard]] std::string setting_key(std::string_view setting);
[[nodiscard]] std::string pack_key(std::string_view blob_key);
[[nodiscard]] std::string pack_number_key(PackNumber number);
[[nodiscard]] std::string chunk_key(const Digest& digest);
[[nodiscard]] std::string manifest_key(const Digest& nar_sha256);
[[nodiscard]] std::string name_key(std::string_view name);
/// What all versions of one thing have in common, the closest relation first (delta/package_name.hpp). The value
/// is the newest one's NAR: a hint, which may name a NAR that is gone.
[[nodiscard]] std::vector<std::string> version_keys(std::string_view name);
/// One for each feature; cut short, since a hint may be wrong, and there are many.
[[nodiscard]] std::vector<std::string> feature_keys(const delta::Features& features);
inline constexpr std::string_view kFeaturePrefix = "F";
[[nodiscard]] std::string feature_value(const Digest& digest);
/// What the key of the chunk begins with that has such a value.
[[nodiscard]] std::string chunk_prefix(std::string_view feature_value);
/// With an empty name: what the keys of all names of this NAR begin with.
[[nodiscard]] std::string nar_name_key(const Digest& nar_sha256, std::string_view name);

/// The digest that a key is about, from the part of it that follows the letter.
[[nodiscard]] Result<Digest> decode_digest(std::string_view text);

[[nodiscard]] std::string encode(std::uint64_t number);
[[nodiscard]] std::string encode(const ChunkLocation& location);
[[nodiscard]] std::string encode(const ManifestLocation& location);
[[nodiscard]] std::string encode(const PackEntry& pack);
[[nodiscard]] std::string encode(const NameRecord& name);

[[nodiscard]] Result<std::uint64_t> decode_number(std::string_view value);
[[nodiscard]] Result<ChunkLocation> decode_chunk(std::string_view value);
[[nodiscard]] Result<ManifestLocation> decode_manifest(std::string_view value);
[[nodiscard]] Result<PackEntry> decode_pack(std::string_view blob_key, std::string_view value);
[[nodiscard]] Result<NameRecord> decode_name(std::string_view name, std::string_view value);

}  // namespace chunker::store::index_format
