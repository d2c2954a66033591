#include "refs/references.hpp"

#include <algorithm>
#include <utility>

#include "base/try.hpp"

namespace chunker::refs {
namespace {

// The bytes around the slash that ends the first directory: "x/" of "/nix/store/". In real data that pair is
// rarer than those that most prefixes share.
PrefixNeedle needle_of(std::string_view prefix) noexcept {
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(prefix.data());
  if (prefix.size() == 1) return {bytes, 1, 0, 0};
  const std::size_t slash = prefix.find('/', 1);
  return {bytes, prefix.size(), slash - 1, slash};
}

}  // namespace

Result<ReferenceNormalizer> ReferenceNormalizer::make(std::string_view store_prefix,
                                                      const base::CpuFeatures& cpu) {
  if (!store_prefix.starts_with('/') || !store_prefix.ends_with('/') ||
      store_prefix.size() > kStorePrefixBytesMax || store_prefix.contains('\0')) {
    return base::fail(ErrorCode::invalid_argument,
                      "a store prefix begins and ends with a slash and has at most 200 bytes");
  }
  return ReferenceNormalizer(store_prefix, choose_prefix_scan(cpu));
}

Result<std::optional<ReferenceNormalizer>> ReferenceNormalizer::make_if_any(
    std::string_view store_prefix) {
  if (store_prefix.empty()) return std::nullopt;
  CHUNKER_TRY(auto normalizer, make(store_prefix));
  return normalizer;
}

std::size_t ReferenceNormalizer::normalize(MutableBytes data, bool last) {
  const std::size_t reference_bytes = prefix_.size() + kStoreHashCharacters;
  std::size_t replaced_end = 0;
  for (std::size_t at = find_prefix(data); data.size() - at >= reference_bytes;
       at += find_prefix(data.subspan(at))) {
    const std::size_t characters = at + prefix_.size();
    if (replace(data.subspan(characters).first<kStoreHashCharacters>(),
                offset_bytes_ + characters)) {
      at = replaced_end = at + reference_bytes;
    } else {
      ++at;
    }
  }
  const std::size_t undecided = last ? 0 : std::min(data.size(), reference_bytes - 1);
  const std::size_t final_bytes = std::max(replaced_end, data.size() - undecided);
  offset_bytes_ += final_bytes;
  return final_bytes;
}

std::size_t ReferenceNormalizer::find_prefix(Bytes data) const noexcept {
  return scan_(needle_of(prefix_), reinterpret_cast<const std::uint8_t*>(data.data()), data.size());
}

// False if the characters are no hash, or one too many.
bool ReferenceNormalizer::replace(std::span<std::byte, kStoreHashCharacters> characters,
                                  std::uint64_t offset_bytes) {
  const auto hash = StoreHash::parse(characters);
  if (!hash || references_.positions.size() == kReferenceCountMax) return false;
  auto known = indexes_.find(*hash);
  if (known == indexes_.end()) {
    if (references_.hashes.size() == kReferenceHashCountMax) return false;
    known = indexes_.emplace(*hash, static_cast<std::uint32_t>(references_.hashes.size())).first;
    references_.hashes.push_back(*hash);
  }
  references_.positions.push_back({offset_bytes, known->second});
  std::ranges::fill(characters, kReferenceFiller);
  return true;
}

void restore_reference(const Reference& reference, std::uint64_t offset_bytes,
                       MutableBytes data) noexcept {
  const auto characters = reference.hash.characters();
  const std::uint64_t from = std::max(reference.offset_bytes, offset_bytes);
  const std::uint64_t to =
      std::min(reference.offset_bytes + kStoreHashCharacters, offset_bytes + data.size());
  if (from >= to) return;
  std::memcpy(data.data() + (from - offset_bytes),
              characters.data() + (from - reference.offset_bytes), to - from);
}

void restore_references(const References& references, std::uint64_t offset_bytes,
                        MutableBytes data) noexcept {
  auto position = std::ranges::partition_point(
      references.positions, [offset_bytes](const References::Position& candidate) {
        return candidate.offset_bytes + kStoreHashCharacters <= offset_bytes;
      });
  const std::uint64_t end = offset_bytes + data.size();
  for (; position != references.positions.end() && position->offset_bytes < end; ++position) {
    restore_reference({position->offset_bytes, references.hashes[position->hash_index]},
                      offset_bytes, data);
  }
}

}  // namespace chunker::refs
