#pragma once

#include <array>
#include <memory>

#include "chunker/bytes.hpp"
#include "chunker/error.hpp"

struct evp_pkey_st;  // OpenSSL's EVP_PKEY.

// Ed25519 (RFC 8032) by OpenSSL; nothing here knows what keys look like as text.
namespace chunker::sign {

inline constexpr std::size_t kSeedBytes = 32;
inline constexpr std::size_t kPointBytes = 32;
inline constexpr std::size_t kSignatureBytes = 64;

using Point = std::array<std::byte, kPointBytes>;
using Signature = std::array<std::byte, kSignatureBytes>;

/// Overwrites in a way that no optimizer removes.
void wipe(MutableBytes bytes) noexcept;

/// Bytes on the stack that are overwritten when they go.
template <std::size_t N>
struct Secret {
  Secret() = default;
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
  ~Secret() { wipe(bytes); }

  std::array<std::byte, N> bytes{};
};

using Seed = Secret<kSeedBytes>;

/// The secret half of a key pair.
/// Owns:    the seed, and OpenSSL's key made of it; both are overwritten when this goes.
/// Threads: shared.
/// Errors:  internal, when OpenSSL cannot do its part.
/// Cost:    about 0.05 ms to make, and per signature.
class Signer {
 public:
  [[nodiscard]] static Result<Signer> generate();
  [[nodiscard]] static Result<Signer> of_seed(std::span<const std::byte, kSeedBytes> seed);

  [[nodiscard]] const Point& point() const noexcept { return point_; }
  [[nodiscard]] std::span<const std::byte, kSeedBytes> seed() const noexcept {
    return seed_->bytes;
  }
  [[nodiscard]] Result<Signature> sign(Bytes message) const;

 private:
  struct Free {
    void operator()(evp_pkey_st* key) const noexcept;
  };
  [[nodiscard]] static Result<Signer> of_owned(std::unique_ptr<Seed> seed);

  // Kept beside the key, because asking OpenSSL for it leaves a copy in memory that is not wiped.
  std::unique_ptr<Seed> seed_;
  std::unique_ptr<evp_pkey_st, Free> key_;
  Point point_{};
};

[[nodiscard]] bool verify(const Point& point, Bytes message, const Signature& signature);

}  // namespace chunker::sign
