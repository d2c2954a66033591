#include <algorithm>

#include "base/try.hpp"
#include "chunker/sign.hpp"
#include "sign/base64.hpp"
#include "sign/ed25519.hpp"

namespace chunker {
namespace {

using namespace sign;

constexpr std::size_t kNameCharactersMax = 255;
constexpr std::size_t kSecretBytes = kSeedBytes + kPointBytes;

bool is_name(std::string_view name) noexcept {
  return !name.empty() && name.size() <= kNameCharactersMax &&
         std::ranges::all_of(name, [](char c) { return c > ' ' && c < 0x7F && c != ':'; });
}

struct Line {
  std::string_view name;
  std::string_view base64;
};

// line := name ":" base64, and space behind it.
std::optional<Line> split(std::string_view text) noexcept {
  const std::size_t end = text.find_last_not_of(" \t\r\n") + 1;
  const std::size_t colon = text.find(':');
  if (colon >= end) return std::nullopt;
  const Line line{text.substr(0, colon), text.substr(colon + 1, end - colon - 1)};
  if (!is_name(line.name)) return std::nullopt;
  return line;
}

std::string join(std::string_view name, Bytes bytes) {
  std::string text(name.size() + 1 + base64_characters(bytes.size()), ':');
  std::ranges::copy(name, text.begin());
  to_base64(bytes, std::as_writable_bytes(std::span(text)).subspan(name.size() + 1));
  return text;
}

std::unexpected<Error> bad_key(std::string_view what) {
  return base::fail(ErrorCode::key_invalid, what);
}

}  // namespace

SecretText& SecretText::operator=(SecretText&& other) noexcept {
  wipe(characters_.span());
  characters_ = std::move(other.characters_);
  return *this;
}

SecretText::~SecretText() { wipe(characters_.span()); }

Result<PublicKey> PublicKey::parse(std::string_view text) {
  const auto line = split(text);
  Point point;
  if (!line || !from_base64(line->base64, point)) {
    return bad_key("a public key is \"name:\" and the base64 of 32 bytes");
  }
  return PublicKey(std::string(line->name), point);
}

std::string PublicKey::text() const { return join(name_, point_); }

Result<void> PublicKey::verify(std::string_view message, std::string_view signature) const {
  const auto line = split(signature);
  Signature bytes;
  if (!line || !from_base64(line->base64, bytes)) {
    return base::fail(ErrorCode::signature_invalid,
                      "a signature is \"name:\" and the base64 of 64 bytes");
  }
  if (line->name != name_) {
    return base::fail(ErrorCode::signature_invalid, "the signature is by a key of another name",
                      Error::kNoOffset, std::string(line->name));
  }
  if (!sign::verify(point_, bytes_of(message), bytes)) {
    return base::fail(ErrorCode::signature_invalid, "the signature does not fit key and message",
                      Error::kNoOffset, name_);
  }
  return {};
}

struct SecretKey::State {
  std::string name;
  Signer signer;
};

SecretKey::SecretKey(std::unique_ptr<State> state) noexcept : state_(std::move(state)) {}
SecretKey::SecretKey(SecretKey&&) noexcept = default;
SecretKey& SecretKey::operator=(SecretKey&&) noexcept = default;
SecretKey::~SecretKey() = default;

Result<SecretKey> SecretKey::generate(std::string_view name) {
  if (!is_name(name)) {
    return bad_key("a key's name is 1 to 255 printable characters without space and colon");
  }
  CHUNKER_TRY(Signer signer, Signer::generate());
  return SecretKey(std::make_unique<State>(std::string(name), std::move(signer)));
}

Result<SecretKey> SecretKey::parse(std::string_view text) {
  const auto line = split(text);
  Secret<kSecretBytes> secret;
  if (!line || !from_base64(line->base64, secret.bytes)) {
    return bad_key("a secret key is \"name:\" and the base64 of 64 bytes");
  }
  const std::span bytes(secret.bytes);
  CHUNKER_TRY(Signer signer, Signer::of_seed(bytes.first<kSeedBytes>()));
  if (!std::ranges::equal(signer.point(), bytes.last<kPointBytes>())) {
    return bad_key("the two halves of the secret key do not belong together");
  }
  return SecretKey(std::make_unique<State>(std::string(line->name), std::move(signer)));
}

std::string_view SecretKey::name() const noexcept { return state_->name; }

PublicKey SecretKey::public_key() const { return {state_->name, state_->signer.point()}; }

SecretText SecretKey::text() const {
  Secret<kSecretBytes> secret;
  const std::span bytes(secret.bytes);
  std::ranges::copy(state_->signer.seed(), bytes.first<kSeedBytes>().begin());
  std::ranges::copy(state_->signer.point(), bytes.last<kPointBytes>().begin());

  const std::string& name = state_->name;
  SecretText text(name.size() + 1 + base64_characters(kSecretBytes));
  std::ranges::copy(bytes_of(name), text.span().begin());
  text.span()[name.size()] = static_cast<std::byte>(':');
  to_base64(secret.bytes, text.span().subspan(name.size() + 1));
  return text;
}

Result<std::string> SecretKey::sign(std::string_view message) const {
  CHUNKER_TRY(const Signature signature, state_->signer.sign(bytes_of(message)));
  return join(state_->name, signature);
}

}  // namespace chunker
