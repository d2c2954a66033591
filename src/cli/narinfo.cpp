#include "cli/narinfo.hpp"

#include <charconv>
#include <map>
#include <optional>

#include "base/try.hpp"
#include "chunker/digest.hpp"
#include "chunker/sign.hpp"
#include "cli/text.hpp"

namespace chunker::cli {
namespace {

constexpr std::string_view kSignaturePrefix = "Sig: ";

// Takes the next line off the front, without its end.
std::string_view take_line(std::string_view& text) {
  const std::size_t end = std::min(text.find('\n'), text.size());
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return line;
}

std::optional<Digest> parse_hash(std::string_view text) {
  if (const auto sri = parse_sri(text)) return sri;
  constexpr std::string_view kPrefix = "sha256:";
  if (!text.starts_with(kPrefix)) return std::nullopt;
  text.remove_prefix(kPrefix.size());
  if (const auto digest = Digest::from_hex(text)) return digest;
  Digest digest;
  if (!from_nix_base32(text, digest.bytes)) return std::nullopt;
  return digest;
}

std::optional<std::uint64_t> parse_number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// References are base names in a narinfo, and whole paths in a fingerprint.
std::vector<std::string> references_of(std::string_view names, std::string_view store_path) {
  const std::string_view directory = store_path.substr(0, store_path.rfind('/') + 1);
  std::vector<std::string> references;
  while (!names.empty()) {
    const std::size_t end = std::min(names.find(' '), names.size());
    if (end != 0) references.push_back(std::string(directory).append(names.substr(0, end)));
    names.remove_prefix(std::min(end + 1, names.size()));
  }
  return references;
}

Error bad_field(std::string_view what) {
  return Error{ErrorCode::invalid_argument, what, Error::kNoOffset, {}};
}

}  // namespace

Result<NarInfo> parse_narinfo(std::string_view text) {
  std::map<std::string_view, std::string_view> fields;
  NarInfo info;
  while (!text.empty()) {
    const std::string_view line = take_line(text);
    const std::size_t colon = line.find(": ");
    if (colon == std::string_view::npos) continue;
    if (line.starts_with(kSignaturePrefix)) {
      info.signatures.emplace_back(line.substr(kSignaturePrefix.size()));
    } else {
      fields[line.substr(0, colon)] = line.substr(colon + 2);
    }
  }
  const auto hash = parse_hash(fields["NarHash"]);
  const auto size = parse_number(fields["NarSize"]);
  const std::string_view path = fields["StorePath"];
  if (path.empty()) return std::unexpected(bad_field("no narinfo: it has no StorePath"));
  if (!hash) return std::unexpected(bad_field("this narinfo has no NarHash by SHA-256"));
  if (!size) return std::unexpected(bad_field("this narinfo has no NarSize"));
  const auto references = references_of(fields["References"], path);
  CHUNKER_TRY(info.fingerprint, nar_fingerprint(path, *hash, *size, references));
  return info;
}

std::string with_signature(std::string_view text, std::string_view signature) {
  const std::string_view key = signature.substr(0, signature.find(':') + 1);
  std::string changed;
  while (!text.empty()) {
    const std::string_view line = take_line(text);
    const bool replaced =
        line.starts_with(kSignaturePrefix) && line.substr(kSignaturePrefix.size()).starts_with(key);
    if (!replaced) changed.append(line).push_back('\n');
  }
  return changed.append(kSignaturePrefix).append(signature).append("\n");
}

}  // namespace chunker::cli
