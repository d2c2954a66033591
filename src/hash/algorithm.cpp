#include <algorithm>
#include <vector>

#include "base/check.hpp"
#include "base/try.hpp"
#include "chunker/hash.hpp"
#include "hash/blake3.hpp"
#include "hash/blake3_many.hpp"
#include "hash/repeats.hpp"
#include "hash/sha256.hpp"
#include "hash/sha256_batch.hpp"

namespace chunker {
namespace {

constexpr std::size_t kNameCharactersMax = 32;

bool is_name(std::string_view name) noexcept {
  return !name.empty() && name.size() <= kNameCharactersMax &&
         std::ranges::all_of(name, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
         });
}

}  // namespace

struct HashAlgorithm::Implementation {
  std::string name;
  std::function<Digest(Bytes)> hash;
  void (*hash_many)(std::span<const Bytes>,
                    std::span<Digest>) = nullptr;  // One by one if there is none.
  std::string deprecated{};
};

HashAlgorithm::HashAlgorithm(std::shared_ptr<const Implementation> implementation)
    : implementation_(std::move(implementation)) {}

HashAlgorithm HashAlgorithm::sha256() {
  static const auto shared =
      std::make_shared<const Implementation>("sha256", hash::sha256, hash::sha256_many);
  return HashAlgorithm(shared);
}

HashAlgorithm HashAlgorithm::blake3() {
  static const auto shared =
      std::make_shared<const Implementation>("blake3", hash::blake3, hash::blake3_many);
  return HashAlgorithm(shared);
}

Result<HashAlgorithm> HashAlgorithm::custom(std::string name,
                                            std::function<Digest(Bytes)> function) {
  return custom_deprecated(std::move(name), std::move(function), {});
}

Result<HashAlgorithm> HashAlgorithm::custom_deprecated(std::string name,
                                                       std::function<Digest(Bytes)> function,
                                                       std::string_view deprecated) {
  if (!is_name(name)) {
    return base::fail(ErrorCode::invalid_argument,
                      "a hash algorithm's name is 1 to 32 characters of [a-z0-9_-]",
                      Error::kNoOffset, std::move(name));
  }
  if (named(name)) {
    return base::fail(ErrorCode::invalid_argument, "a built-in hash algorithm has this name",
                      Error::kNoOffset, std::move(name));
  }
  if (!function) {
    return base::fail(ErrorCode::invalid_argument, "a hash algorithm needs a function",
                      Error::kNoOffset, std::move(name));
  }
  return HashAlgorithm(std::make_shared<const Implementation>(std::move(name), std::move(function),
                                                              nullptr, std::string(deprecated)));
}

Result<HashAlgorithm> HashAlgorithm::named(std::string_view name) {
  for (const HashAlgorithm& builtin : {sha256(), blake3()}) {
    if (builtin.name() == name) return builtin;
  }
  return base::fail(ErrorCode::unsupported, "no built-in hash algorithm has this name",
                    Error::kNoOffset, std::string(name));
}

std::string_view HashAlgorithm::name() const noexcept { return implementation_->name; }

AlgorithmInfo HashAlgorithm::info() const {
  return {AlgorithmKind::hash, implementation_->name, implementation_->deprecated};
}

Digest HashAlgorithm::hash(Bytes bytes) const { return implementation_->hash(bytes); }

void HashAlgorithm::hash_many(std::span<const Bytes> inputs, std::span<Digest> digests) const {
  CHUNKER_CHECK(inputs.size() == digests.size());
  const std::vector<std::size_t> first = hash::first_occurrences(inputs);
  std::vector<Bytes> distinct;
  distinct.reserve(inputs.size());
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (first[i] == i) distinct.push_back(inputs[i]);
  }
  std::vector<Digest> found(distinct.size());
  if (implementation_->hash_many != nullptr) {
    implementation_->hash_many(distinct, found);
  } else {
    std::ranges::transform(distinct, found.begin(), implementation_->hash);
  }
  auto next = found.begin();
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    digests[i] = first[i] == i ? *next++ : digests[first[i]];
  }
}

}  // namespace chunker
