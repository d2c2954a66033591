#include "refs/reference_format.hpp"

#include <algorithm>
#include <optional>
#include <set>
#include <span>
#include <string_view>

#include "base/try.hpp"
#include "base/wire.hpp"

namespace chunker::refs {
namespace {

using base::append_varint;
using base::fail;

constexpr std::string_view kHashCountFault = "more hashes than a NAR may have";
constexpr std::string_view kRepeatedFault = "a hash comes twice";
constexpr std::string_view kUnusedFault = "a hash is named by no reference";
constexpr std::string_view kCountFault = "more references than a NAR may have";

// What must hold from one reference to the next; writer and reader hold each other to it.
class PositionOrder {
 public:
  PositionOrder(std::uint64_t nar_bytes, std::size_t hash_count) noexcept
      : rest_bytes_(nar_bytes), hash_count_(hash_count) {}

  /// Steps over the next reference; says what is wrong if it cannot be the next.
  [[nodiscard]] std::optional<std::string_view> step(std::uint64_t gap_bytes,
                                                     std::uint64_t hash_index) noexcept {
    if (gap_bytes > rest_bytes_ || rest_bytes_ - gap_bytes < kStoreHashCharacters) {
      return "a reference ends outside the NAR";
    }
    if (hash_index > named_count_ || hash_index >= hash_count_) {
      return "a reference's hash is not among those before it nor the next of the list";
    }
    rest_bytes_ -= gap_bytes + kStoreHashCharacters;
    end_bytes_ += gap_bytes + kStoreHashCharacters;
    if (hash_index == named_count_) ++named_count_;
    return std::nullopt;
  }

  /// Where the reference before ends.
  [[nodiscard]] std::uint64_t end_bytes() const noexcept { return end_bytes_; }
  [[nodiscard]] bool all_named() const noexcept { return named_count_ == hash_count_; }

 private:
  std::uint64_t rest_bytes_;
  std::uint64_t end_bytes_ = 0;
  std::size_t hash_count_;
  std::size_t named_count_ = 0;
};

// The index of the first hash that came before; the count if there is none.
std::size_t first_repeated(std::span<const StoreHash> hashes) {
  std::set<StoreHash> before;
  const auto repeated = std::ranges::find_if(
      hashes, [&](const StoreHash& hash) { return !before.insert(hash).second; });
  return static_cast<std::size_t>(repeated - hashes.begin());
}

Result<std::vector<StoreHash>> read_hashes(Bytes list) {
  if (list.size() % StoreHash::kBytes != 0) {
    return fail(ErrorCode::store_corrupt, "a hash is cut off",
                list.size() - list.size() % StoreHash::kBytes);
  }
  if (list.size() / StoreHash::kBytes > kReferenceHashCountMax) {
    return fail(ErrorCode::store_corrupt, kHashCountFault,
                kReferenceHashCountMax * StoreHash::kBytes);
  }
  std::vector<StoreHash> hashes(list.size() / StoreHash::kBytes);
  for (StoreHash& hash : hashes) {
    std::memcpy(hash.bytes.data(), list.data(), StoreHash::kBytes);
    list = list.subspan(StoreHash::kBytes);
  }
  if (const std::size_t repeated = first_repeated(hashes); repeated != hashes.size()) {
    return fail(ErrorCode::store_corrupt, kRepeatedFault, repeated * StoreHash::kBytes);
  }
  return hashes;
}

Result<std::vector<References::Position>> read_positions(Bytes list, PositionOrder order) {
  base::WireReader reader(list);
  std::vector<References::Position> positions;
  while (!reader.at_end()) {
    const std::size_t begin = reader.offset();
    if (positions.size() == kReferenceCountMax) {
      return fail(ErrorCode::store_corrupt, kCountFault, begin);
    }
    const auto gap_bytes = reader.varint();
    const auto hash_index = reader.varint();
    if (!gap_bytes || !hash_index) {
      return fail(ErrorCode::store_corrupt, "a reference is cut off or malformed", begin);
    }
    if (const auto fault = order.step(*gap_bytes, *hash_index)) {
      return fail(ErrorCode::store_corrupt, *fault, begin);
    }
    positions.push_back(
        {order.end_bytes() - kStoreHashCharacters, static_cast<std::uint32_t>(*hash_index)});
  }
  if (!order.all_named()) return fail(ErrorCode::store_corrupt, kUnusedFault, list.size());
  return positions;
}

}  // namespace

Result<EncodedReferences> encode_references(const References& references, std::uint64_t nar_bytes) {
  if (references.hashes.size() > kReferenceHashCountMax) {
    return fail(ErrorCode::invalid_argument, kHashCountFault);
  }
  if (first_repeated(references.hashes) != references.hashes.size()) {
    return fail(ErrorCode::invalid_argument, kRepeatedFault);
  }
  if (references.positions.size() > kReferenceCountMax) {
    return fail(ErrorCode::invalid_argument, kCountFault);
  }
  EncodedReferences encoded;
  for (const StoreHash& hash : references.hashes) encoded.hash_list.append(hash.bytes);
  PositionOrder order(nar_bytes, references.hashes.size());
  for (const auto& [offset_bytes, hash_index] : references.positions) {
    if (offset_bytes < order.end_bytes()) {
      return fail(ErrorCode::invalid_argument, "a reference begins before the one before it ends",
                  offset_bytes);
    }
    const std::uint64_t gap_bytes = offset_bytes - order.end_bytes();
    if (const auto fault = order.step(gap_bytes, hash_index)) {
      return fail(ErrorCode::invalid_argument, *fault, offset_bytes);
    }
    append_varint(encoded.position_list, gap_bytes);
    append_varint(encoded.position_list, hash_index);
  }
  if (!order.all_named()) return fail(ErrorCode::invalid_argument, kUnusedFault);
  return encoded;
}

Result<References> decode_references(Bytes hash_list, Bytes position_list,
                                     std::uint64_t nar_bytes) {
  auto hashes = read_hashes(hash_list);
  if (!hashes) return std::unexpected(std::move(hashes).error().within("hash list"));
  auto positions = read_positions(position_list, PositionOrder(nar_bytes, hashes->size()));
  if (!positions) return std::unexpected(std::move(positions).error().within("position list"));
  return References{*std::move(hashes), *std::move(positions)};
}

}  // namespace chunker::refs
