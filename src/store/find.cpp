#include <algorithm>
#include <string>

#include "base/hex.hpp"
#include "base/try.hpp"
#include "chunker/sign.hpp"
#include "chunker/store.hpp"
#include "store/parts.hpp"

// Store::find: what a user types, turned into one NAR.
namespace chunker {
namespace {

using base::fail;

constexpr std::size_t kHexDigitsMin = 8;
constexpr std::size_t kHexDigits = 2 * Digest::kBytes;
constexpr std::string_view kNarSuffix = ".nar";

bool is_hex(std::string_view text) {
  return text.size() >= kHexDigitsMin && text.size() <= kHexDigits &&
         std::ranges::all_of(text, [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
         });
}

Result<StoredNar> describe_nar(const store::Index& index, const store::NameRecord& record) {
  CHUNKER_TRY(const auto manifest, index.manifest(record.nar_sha256));
  if (!manifest) {
    return fail(ErrorCode::store_corrupt, "the NAR's manifest is lost", Error::kNoOffset,
                record.name);
  }
  return StoredNar{record.name, record.nar_sha256, manifest->nar_bytes, manifest->chunk_count,
                   record.added_unix_seconds};
}

/// The record of one of the names that a NAR has; nothing if it has none.
Result<std::optional<store::NameRecord>> any_name(const store::Index& index, const Digest& nar) {
  CHUNKER_TRY(const auto names, index.names_of(nar));
  if (names.empty()) return std::nullopt;
  return index.name(names.front());
}

Result<std::optional<store::NameRecord>> by_hash(const store::Index& index, std::string_view text) {
  if (text.starts_with("sha256:")) text.remove_prefix(7);
  if (Digest digest; from_nix_base32(text, digest.bytes)) return any_name(index, digest);
  if (!is_hex(text)) return std::nullopt;
  std::string digits(text);
  std::ranges::transform(digits, digits.begin(), [](char c) {
    return static_cast<char>(c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c);
  });
  CHUNKER_TRY(const auto found, index.manifests_with_prefix(digits, 2));
  if (found.size() > 1) {
    return fail(ErrorCode::store_ambiguous_name, "several NARs have a hash that begins like this",
                Error::kNoOffset, std::string(text));
  }
  if (found.empty()) return std::nullopt;
  return any_name(index, found.front());
}

}  // namespace

Result<StoredNar> Store::find(std::string_view name_or_hash) const {
  const store::Index& index = *parts_->index;
  std::string name(name_or_hash);
  CHUNKER_TRY(auto record, index.name(name));
  if (!record && name.ends_with(kNarSuffix)) {
    CHUNKER_TRY(record, index.name(name.substr(0, name.size() - kNarSuffix.size())));
  } else if (!record) {
    CHUNKER_TRY(record, index.name(name.append(kNarSuffix)));
  }
  if (!record) {
    CHUNKER_TRY(record, by_hash(index, name_or_hash));
  }
  if (!record) {
    return fail(ErrorCode::store_not_found, "the store has no NAR of this name or hash",
                Error::kNoOffset, std::string(name_or_hash));
  }
  return describe_nar(index, *record);
}

}  // namespace chunker
