// Whatever is read as a key, a signature or a base-32 digest: what passes is spelled the way we write it.
#include <cstdlib>

#include "chunker/sign.hpp"

using namespace chunker;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

// Our spelling is the only one, but for space behind it.
bool is_line(std::string_view text, std::string_view ours) {
  return text.starts_with(ours) &&
         text.substr(ours.size()).find_first_not_of(" \t\r\n") == text.npos;
}

void read_keys(std::string_view text, std::string_view rest) {
  if (const auto key = SecretKey::parse(text)) {
    require(is_line(text, key->text().view()));
    require(key->public_key().verify(rest, *key->sign(rest)).has_value());
  }
  if (const auto key = PublicKey::parse(text)) {
    require(is_line(text, key->text()));
    static_cast<void>(key->verify("message", rest));
  }
}

void read_digest(std::string_view text) {
  Digest digest;
  if (from_nix_base32(text, digest.bytes)) require(to_nix_base32(digest.view()) == text);
}

void build_fingerprint(std::string_view text, std::string_view rest) {
  const std::vector<std::string> references = {std::string(rest), std::string(text)};
  if (const auto fingerprint = nar_fingerprint(text, Digest{}, 1, references)) {
    require(std::ranges::count(*fingerprint, ';') == 4);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t line_end = std::min(input.find('\n'), input.size());
  const std::string_view line = input.substr(0, line_end);
  const std::string_view rest = input.substr(std::min(line_end + 1, input.size()));
  read_keys(line, rest);
  read_keys(input, line);
  read_digest(line);
  build_fingerprint(line, rest);
  return 0;
}
