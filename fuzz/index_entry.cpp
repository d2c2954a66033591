#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/check.hpp"
#include "chunker/bytes.hpp"
#include "store/index_format.hpp"

// input := the value of an entry of the index. Whichever kind it is taken for, it must be refused or spelled the same.

namespace {

using namespace chunker;
using namespace chunker::store;

template <class T>
void check_spelling(const Result<T>& decoded, std::string_view value) {
  if (decoded) {
    CHUNKER_CHECK(index_format::encode(*decoded) == value);
  } else {
    CHUNKER_CHECK(decoded.error().code == ErrorCode::store_corrupt);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view value = text_of(std::as_bytes(std::span(data, size)));
  check_spelling(index_format::decode_number(value), value);
  check_spelling(index_format::decode_chunk(value), value);
  check_spelling(index_format::decode_manifest(value), value);
  check_spelling(index_format::decode_pack("packs/ab/abcd", value), value);
  check_spelling(index_format::decode_name("name", value), value);
  const auto digest = index_format::decode_digest(value);
  CHUNKER_CHECK(digest.has_value() == (size == Digest::kBytes));
  if (digest) CHUNKER_CHECK(text_of(digest->view()) == value);
  return 0;
}
