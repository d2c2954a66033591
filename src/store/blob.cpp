#include "store/blob.hpp"

#include <algorithm>

#include "base/try.hpp"

namespace chunker::store {
namespace {

bool is_key_character(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

bool is_key_part(std::string_view part) noexcept {
  return !part.empty() && part != "." && part != ".." &&
         std::ranges::all_of(part, is_key_character);
}

}  // namespace

bool is_key(std::string_view text) noexcept {
  if (text.size() > kBlobKeyCharactersMax || text.substr(0, text.find('/')) == "tmp") return false;
  for (;;) {
    const std::size_t slash = text.find('/');
    if (!is_key_part(text.substr(0, slash))) return false;
    if (slash == std::string_view::npos) return true;
    text.remove_prefix(slash + 1);
  }
}

Result<void> check_key(std::string_view key) {
  if (is_key(key)) return {};
  return base::fail(ErrorCode::invalid_argument, "this is not a key of a blob", Error::kNoOffset,
                    std::string(key.substr(0, kBlobKeyCharactersMax)));
}

}  // namespace chunker::store
