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

// "bin" of "2.38-27-bin".
std::string_view output_of(std::string_view version) noexcept {
  const std::size_t dash = version.rfind('-');
  if (dash == std::string_view::npos) return {};
  const std::string_view last = version.substr(dash + 1);
  return std::ranges::all_of(last, is_letter) ? last : std::string_view{};
}

}  // namespace

std::string package_name(std::string_view store_name) {
  std::string_view name = store_name.substr(store_name.rfind('/') + 1);
  if (name.ends_with(kNarSuffix)) name.remove_suffix(kNarSuffix.size());
  if (begins_with_hash(name)) name.remove_prefix(kHashLength + 1);
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
