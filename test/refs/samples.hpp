#pragma once

#include <random>
#include <string>
#include <string_view>

#include "base/check.hpp"
#include "refs/references.hpp"

namespace chunker::refs::samples {

inline constexpr std::string_view kAlphabet = "0123456789abcdfghijklmnpqrsvwxyz";

inline MutableBytes bytes_of(std::string& text) {
  return std::as_writable_bytes(std::span(text.data(), text.size()));
}

/// `count` characters of the alphabet, others for another `seed`.
inline std::string characters(std::uint64_t seed, std::size_t count = kStoreHashCharacters) {
  std::mt19937 random(static_cast<std::uint32_t>(seed));
  std::string text(count, '0');
  for (char& character : text) character = kAlphabet[random() % kAlphabet.size()];
  return text;
}

inline StoreHash hash_of(std::string_view text) {
  CHUNKER_CHECK(text.size() == kStoreHashCharacters);
  return StoreHash::parse(chunker::bytes_of(text).first<kStoreHashCharacters>()).value();
}

struct Normalized {
  std::string text;
  References references;

  friend bool operator==(const Normalized&, const Normalized&) = default;
};

/// The definition, character by character over the whole stream.
inline Normalized normalize_slowly(std::string text, std::string_view prefix = kNixStorePrefix) {
  References found;
  for (std::size_t at = 0; at + prefix.size() + kStoreHashCharacters <= text.size();) {
    const std::size_t begin = at + prefix.size();
    const std::string hash = text.substr(begin, kStoreHashCharacters);
    if (text.compare(at, prefix.size(), prefix) != 0 ||
        hash.find_first_not_of(kAlphabet) != hash.npos) {
      ++at;
      continue;
    }
    std::size_t index = 0;
    while (index < found.hashes.size() && found.hashes[index] != hash_of(hash)) ++index;
    if (index == found.hashes.size()) found.hashes.push_back(hash_of(hash));
    found.positions.push_back({begin, static_cast<std::uint32_t>(index)});
    text.replace(begin, kStoreHashCharacters, std::string(kStoreHashCharacters, 'e'));
    at = begin + kStoreHashCharacters;
  }
  return {text, found};
}

/// The stream in pieces: each step offers `step()` bytes more, and what the step before left.
template <class Step>
Normalized normalize_in_steps(std::string text, Step step,
                              std::string_view prefix = kNixStorePrefix,
                              const base::CpuFeatures& cpu = base::detect_cpu_features()) {
  auto normalizer = ReferenceNormalizer::make(prefix, cpu).value();
  std::size_t begin = 0, end = 0;
  do {
    end = std::min<std::size_t>(text.size(), end + step());
    const bool last = end == text.size();
    const std::size_t final_bytes =
        normalizer.normalize(bytes_of(text).subspan(begin, end - begin), last);
    const std::size_t rest_bytes_max = last ? 0 : prefix.size() + kStoreHashCharacters - 1;
    CHUNKER_CHECK(final_bytes <= end - begin && end - begin - final_bytes <= rest_bytes_max);
    begin += final_bytes;
  } while (end != text.size());
  return {text, std::move(normalizer).take()};
}

inline Normalized normalize(std::string text, std::string_view prefix = kNixStorePrefix) {
  const std::size_t all = text.size();
  return normalize_in_steps(std::move(text), [all] { return all; }, prefix);
}

inline std::string restored(const Normalized& normalized) {
  std::string text = normalized.text;
  restore_references(normalized.references, 0, bytes_of(text));
  return text;
}

/// Text in which everything that looks like a reference, or nearly, is frequent.
inline std::string random_text(std::mt19937& random, std::size_t piece_count,
                               std::string_view prefix = kNixStorePrefix) {
  std::string text;
  while (piece_count-- > 0) {
    const std::size_t part = random() % (prefix.size() + 1);
    switch (random() % 8) {
      case 0:
      case 1:
      case 2:
        text.append(prefix).append(characters(random() % 9));
        break;
      case 3:
        text.append(prefix).append(characters(random(), random() % 40));
        break;
      case 4:
        text.append(prefix.substr(0, part));
        break;
      case 5:
        text.append(prefix.substr(part));
        break;
      case 6:
        text.append(random() % 50, 'e');
        break;
      default:
        text.push_back(static_cast<char>(random()));
    }
  }
  return text;
}

}  // namespace chunker::refs::samples
