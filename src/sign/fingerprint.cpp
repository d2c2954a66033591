#include <algorithm>
#include <vector>

#include "base/try.hpp"
#include "chunker/sign.hpp"

namespace chunker {
namespace {

constexpr std::size_t kHashCharacters = 32;

bool is_letter_or_digit(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// path := directory "/" hash "-" name. Nix allows no other characters in the last part; in the directory what
// separates the fields of a fingerprint must not stand.
bool is_store_path(std::string_view path) noexcept {
  const std::size_t slash = path.rfind('/');
  if (slash == path.npos || path[0] != '/') return false;
  const std::string_view base = path.substr(slash + 1);
  if (base.size() < kHashCharacters + 2 || base[kHashCharacters] != '-') return false;
  return std::ranges::all_of(path.substr(0, slash),
                             [](char c) { return c > ' ' && c < 0x7F && c != ';' && c != ','; }) &&
         std::ranges::all_of(base, [](char c) {
           return is_letter_or_digit(c) || std::string_view("+-._?=").contains(c);
         });
}

}  // namespace

Result<std::string> nar_fingerprint(std::string_view store_path, const Digest& nar_sha256,
                                    std::uint64_t nar_bytes,
                                    std::span<const std::string> references) {
  std::vector<std::string_view> sorted(references.begin(), references.end());
  std::ranges::sort(sorted);
  sorted.erase(std::ranges::unique(sorted).begin(), sorted.end());
  sorted.push_back(store_path);
  for (const std::string_view path : sorted) {
    if (!is_store_path(path)) {
      return base::fail(ErrorCode::invalid_argument, "this is no store path", Error::kNoOffset,
                        std::string(path));
    }
  }
  sorted.pop_back();
  if (nar_bytes == 0) return base::fail(ErrorCode::invalid_argument, "no NAR is empty");

  std::string text = "1;";
  text.append(store_path).append(";sha256:").append(to_nix_base32(nar_sha256.view()));
  text.append(";").append(std::to_string(nar_bytes)).append(";");
  for (const std::string_view reference : sorted) text.append(reference).append(",");
  if (!sorted.empty()) text.pop_back();
  return text;
}

}  // namespace chunker
