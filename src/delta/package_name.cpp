#include "delta/package_name.hpp"

#include <algorithm>

namespace chunker::delta {
namespace {

constexpr std::string_view kHashAlphabet = "0123456789abcdfghijklmnpqrsvwxyz";
constexpr std::size_t kHashLength = 32;
constexpr std::string_view kNarSuffix = ".nar";
constexpr char kOutputMark = '!';

// As in the C locale, whatever the program's is.
constexpr bool is_letter(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool begins_with_hash(std::string_view name) noexcept {
  return name.size() > kHashLength && name[kHashLength] == '-' &&
         name.find_first_not_of(kHashAlphabet) == kHashLength;
}

// Without everything up to the hash: whoever keeps NARs may have put words of his own before it.
std::string_view behind_hash(std::string_view name) noexcept {
  for (std::size_t i = 0; i != std::string_view::npos && i < name.size();) {
    if (begins_with_hash(name.substr(i))) return name.substr(i + kHashLength + 1);
    const std::size_t dash = name.find('-', i);
    i = dash == std::string_view::npos ? dash : dash + 1;
  }
  return name;
}

// "bin" of "2.38-27-bin".
std::string_view output_of(std::string_view version) noexcept {
  const std::size_t dash = version.rfind('-');
  if (dash == std::string_view::npos) return {};
  const std::string_view last = version.substr(dash + 1);
  return std::ranges::all_of(last, is_letter) ? last : std::string_view{};
}

// Without directory, suffix and hash.
std::string_view plain_name(std::string_view store_name) noexcept {
  std::string_view name = store_name.substr(store_name.rfind('/') + 1);
  if (name.ends_with(kNarSuffix)) name.remove_suffix(kNarSuffix.size());
  return behind_hash(name);
}

bool is_digit(char character) noexcept { return character >= '0' && character <= '9'; }

}  // namespace

std::string without_numbers(std::string_view name) {
  std::string rest;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const bool between = name[i] == '.' && i > 0 && is_digit(name[i - 1]);
    if (!is_digit(name[i]) && !between) rest.push_back(name[i]);
  }
  return rest;
}

std::string name_shape(std::string_view store_name) {
  return without_numbers(plain_name(store_name));
}

std::string package_name(std::string_view store_name) {
  const std::string_view name = plain_name(store_name);
  for (std::size_t i = 0; i + 1 < name.size(); ++i) {
    if (name[i] != '-' || is_letter(name[i + 1]) || name[i + 1] == '_') continue;
    std::string package(name.substr(0, i));
    const std::string_view output = output_of(name.substr(i + 1));
    if (!output.empty()) package.append(1, kOutputMark).append(output);
    return package;
  }
  return std::string(name);
}

}  // namespace chunker::delta
