#pragma once

#include <array>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "chunker/bytes.hpp"
#include "chunker/digest.hpp"
#include "chunker/error.hpp"
#include "chunker/threads.hpp"

// Ed25519 keys and signatures in the forms that Nix reads and writes. A key or a signature is a line
// "name:base64"; names are 1 to 255 printable ASCII characters without space and colon. Space and line ends
// behind a key are ignored, because key files often end with one.
namespace chunker {

/// Characters that hold a secret key.
/// Owns:    its memory, which is overwritten before it is given back.
/// Threads: movable.
/// Errors:  none; std::bad_alloc on construction.
/// Cost:    one allocation.
class SecretText {
 public:
  /// Room for `size` characters, to be written through span(): what a key file is read into.
  explicit SecretText(std::size_t size) : characters_(size) {}
  SecretText(SecretText&&) noexcept = default;
  SecretText& operator=(SecretText&& other) noexcept;
  ~SecretText();

  [[nodiscard]] MutableBytes span() noexcept { return characters_.span(); }
  [[nodiscard]] std::string_view view() const noexcept { return text_of(characters_); }

 private:
  ByteBuffer characters_;
};

template <>
inline constexpr Threads threads_of<SecretText> = Threads::movable;

/// Checks signatures made by one secret key.
/// Owns:    its name and 32 bytes.
/// Threads: shared (a plain value).
/// Errors:  key_invalid from parse; signature_invalid from verify.
/// Cost:    about 0.1 ms per verification.
class PublicKey {
 public:
  /// Reads "name:base64 of 32 bytes", as nix.conf has it in trusted-public-keys.
  [[nodiscard]] static Result<PublicKey> parse(std::string_view text);

  [[nodiscard]] std::string_view name() const noexcept { return name_; }
  [[nodiscard]] std::string text() const;
  /// Passes if `signature` ("name:base64 of 64 bytes") was made for `message` by this key under its name.
  [[nodiscard]] Result<void> verify(std::string_view message, std::string_view signature) const;

  friend bool operator==(const PublicKey&, const PublicKey&) = default;

 private:
  friend class SecretKey;
  PublicKey(std::string name, const std::array<std::byte, 32>& point)
      : name_(std::move(name)), point_(point) {}

  std::string name_;
  std::array<std::byte, 32> point_;
};

template <>
inline constexpr Threads threads_of<PublicKey> = Threads::shared;

/// Signs. Reads and writes the files of `nix-store --generate-binary-cache-key`.
/// Owns:    the key, which is overwritten in memory when this goes.
/// Threads: shared.
/// Errors:  key_invalid; internal when OpenSSL has no randomness or no Ed25519.
/// Cost:    about 0.05 ms per signature.
class SecretKey {
 public:
  /// A new key from OpenSSL's random numbers. Errors: key_invalid for a name that cannot be one.
  [[nodiscard]] static Result<SecretKey> generate(std::string_view name);
  /// Reads "name:base64 of 64 bytes", the seed and the public key that belongs to it.
  [[nodiscard]] static Result<SecretKey> parse(std::string_view text);

  SecretKey(SecretKey&&) noexcept;
  SecretKey& operator=(SecretKey&&) noexcept;
  ~SecretKey();

  [[nodiscard]] std::string_view name() const noexcept;
  [[nodiscard]] PublicKey public_key() const;
  [[nodiscard]] SecretText text() const;
  /// "name:base64 of 64 bytes".
  [[nodiscard]] Result<std::string> sign(std::string_view message) const;

 private:
  struct State;
  explicit SecretKey(std::unique_ptr<State> state) noexcept;
  std::unique_ptr<State> state_;
};

template <>
inline constexpr Threads threads_of<SecretKey> = Threads::shared;

/// What the signature of a store path covers: "1;path;sha256:base32;bytes;reference,reference". Paths are
/// whole ("/nix/store/hash-name"); references may come in any order and more than once.
/// Errors: invalid_argument for a path that is none, or an empty NAR.
[[nodiscard]] Result<std::string> nar_fingerprint(std::string_view store_path,
                                                  const Digest& nar_sha256, std::uint64_t nar_bytes,
                                                  std::span<const std::string> references);

/// Nix's base 32: digits without e, o, t and u, the last bits first. 52 characters for a SHA-256.
[[nodiscard]] std::string to_nix_base32(Bytes bytes);
/// Reads exactly `out.size()` bytes of it; false if `text` is not that.
[[nodiscard]] bool from_nix_base32(std::string_view text, MutableBytes out) noexcept;

}  // namespace chunker
