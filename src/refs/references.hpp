#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/cpu.hpp"
#include "chunker/bytes.hpp"
#include "chunker/error.hpp"
#include "chunker/references.hpp"
#include "refs/prefix_scan.hpp"

// References: the 32 characters behind "/nix/store/". When packages are rebuilt because something below them
// changed, often nothing else in their files does; with the references taken out, equal bytes are equal again.
namespace chunker::refs {

inline constexpr std::string_view kNixStorePrefix = "/nix/store/";
inline constexpr std::size_t kStorePrefixBytesMax = 200;
/// What one NAR's references may cost: 64 MiB of memory for positions, about 7 MiB for hashes. Those beyond stay
/// in the data. See doc/adr/0030-references.md for what real NARs have.
inline constexpr std::size_t kReferenceCountMax = std::size_t{1} << 22;
inline constexpr std::size_t kReferenceHashCountMax = std::size_t{1} << 16;
/// What stands in place of a reference; no hash has it, so a normalized reference is never found again.
inline constexpr std::byte kReferenceFiller{'e'};

/// Takes the references out of a stream: a store prefix, then 32 characters of Nix's alphabet, whatever
/// follows. They are looked for from the front, each behind the one before. What is found does not depend on
/// how the stream is split.
/// Owns:    what it found so far.
/// Threads: movable.
/// Errors:  invalid_argument from make() for a prefix that is none.
/// Cost:    27 GB/s with AVX2, 14 without (doc/adr/0030-references.md); memory is bounded by
///          kReferenceCountMax and kReferenceHashCountMax.
class ReferenceNormalizer {
 public:
  /// `store_prefix` is 1 to 200 bytes without NUL, and begins and ends with '/'.
  [[nodiscard]] static Result<ReferenceNormalizer> make(
      std::string_view store_prefix = kNixStorePrefix,
      const base::CpuFeatures& cpu = base::detect_cpu_features());

  /// None for an empty prefix, which leaves references in the data.
  [[nodiscard]] static Result<std::optional<ReferenceNormalizer>> make_if_any(
      std::string_view store_prefix);

  /// Goes on with `data`, which begins with the bytes that the call before did not finish; `last` says that
  /// nothing follows. Overwrites each reference with the filler. Returns how many bytes at the front are
  /// final: all if `last`, else all but at most the prefix and 31 bytes.
  [[nodiscard]] std::size_t normalize(MutableBytes data, bool last);

  /// What was found in all the data so far.
  [[nodiscard]] const References& found() const noexcept { return references_; }
  /// The same; this is used up.
  [[nodiscard]] References take() && { return std::move(references_); }

 private:
  ReferenceNormalizer(std::string_view store_prefix, PrefixScan scan)
      : prefix_(store_prefix), scan_(scan) {}

  [[nodiscard]] std::size_t find_prefix(Bytes data) const noexcept;
  bool replace(std::span<std::byte, kStoreHashCharacters> characters, std::uint64_t offset_bytes);

  std::string prefix_;
  PrefixScan scan_;
  std::uint64_t offset_bytes_ = 0;
  References references_;
  // Not a hash table: the keys are chosen by whoever made the NAR, who could make them all collide.
  std::map<StoreHash, std::uint32_t> indexes_;
};

/// One reference, on its own.
struct Reference {
  std::uint64_t offset_bytes;  ///< Of the 32 characters, not of the prefix.
  StoreHash hash;
};

/// Puts one reference, or the part of it that lies in `data`, back; `data` is at `offset_bytes` of the stream.
void restore_reference(const Reference& reference, std::uint64_t offset_bytes,
                       MutableBytes data) noexcept;

/// Puts back every reference, or part of one, that lies in `data`, which is at `offset_bytes` of the stream.
/// `references` are a normalizer's or have been decoded. Cost: a binary search and 32 bytes per reference.
void restore_references(const References& references, std::uint64_t offset_bytes,
                        MutableBytes data) noexcept;

}  // namespace chunker::refs
