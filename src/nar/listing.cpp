#include "chunker/nar_listing.hpp"

#include <utility>

#include "base/try.hpp"
#include "base/utf8.hpp"

namespace chunker {
namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";

void append_ascii(std::string& to, char c) {
  const auto code = static_cast<unsigned char>(c);
  switch (c) {
    case '"':
      to.append("\\\"");
      break;
    case '\\':
      to.append("\\\\");
      break;
    case '\n':
      to.append("\\n");
      break;
    case '\r':
      to.append("\\r");
      break;
    case '\t':
      to.append("\\t");
      break;
    default:
      if (code >= 0x20) {
        to.push_back(c);
      } else {
        to.append("\\u00").append({kHexDigits[code >> 4], kHexDigits[code & 15]});
      }
  }
}

/// The one reading of U+FFFD in a listing: a byte in hexadecimal follows.
void append_marked_byte(std::string& to, char c) {
  const auto code = static_cast<unsigned char>(c);
  to.append("\\ufffd").append({kHexDigits[code >> 4], kHexDigits[code & 15]});
}

void append_json_string(std::string& to, std::string_view text) {
  constexpr std::string_view kReplacementCharacter = "\xef\xbf\xbd";
  to.push_back('"');
  while (!text.empty()) {
    std::size_t size = base::utf8_bytes(text);
    if (size == 1) {
      append_ascii(to, text.front());
    } else if (size == 0 || text.starts_with(kReplacementCharacter)) {
      append_marked_byte(to, text.front());
      size = 1;  // the rest of U+FFFD is then no character either
    } else {
      to.append(text.substr(0, size));
    }
    text.remove_prefix(size);
  }
  to.push_back('"');
}

}  // namespace

Result<void> NarListing::on_entry(const NarEntry& entry, std::string_view target) {
  open_entry(entry);
  switch (entry.type) {
    case NarEntryType::directory:
      text_.append(R"({"type":"directory","entries":{)");
      after_sibling_ = false;
      break;
    case NarEntryType::regular:
      text_.append(R"({"type":"regular","size":)").append(std::to_string(entry.size_bytes));
      if (entry.executable) text_.append(R"(,"executable":true)");
      text_.append(R"(,"narOffset":)").append(std::to_string(entry.offset_bytes)).append("}");
      break;
    case NarEntryType::symlink:
      text_.append(R"({"type":"symlink","target":)");
      append_json_string(text_, target);
      text_.push_back('}');
      close_entry(entry);
      break;
  }
  return {};
}

Result<void> NarListing::on_entry_end(const NarEntry& entry) {
  if (entry.type == NarEntryType::directory) text_.append("}}");
  close_entry(entry);
  return {};
}

void NarListing::open_entry(const NarEntry& entry) {
  if (entry.path.empty()) {
    text_.append(R"({"version":1,"root":)");
    return;
  }
  if (after_sibling_) text_.push_back(',');
  append_json_string(text_, std::string_view(entry.path).substr(entry.path.rfind('/') + 1));
  text_.push_back(':');
}

void NarListing::close_entry(const NarEntry& entry) {
  after_sibling_ = true;
  if (entry.path.empty()) text_.push_back('}');
}

std::string NarListing::take() { return std::exchange(text_, {}); }

Result<std::string> nar_listing_json(Bytes nar) {
  NarListing listing;
  NarParser parser;
  CHUNKER_TRY_VOID(parser.feed(nar, listing));
  CHUNKER_TRY_VOID(parser.finish());
  return listing.take();
}

}  // namespace chunker
