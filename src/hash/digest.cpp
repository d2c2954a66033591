#include "chunker/digest.hpp"

#include "base/hex.hpp"

namespace chunker {

std::string Digest::hex() const { return base::to_hex(bytes); }

std::optional<Digest> Digest::from_hex(std::string_view text) noexcept {
  Digest digest;
  if (!base::from_hex(text, digest.bytes)) return std::nullopt;
  return digest;
}

}  // namespace chunker
