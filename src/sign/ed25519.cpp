#include "sign/ed25519.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <algorithm>
#include <new>

#include "base/try.hpp"

namespace chunker::sign {
namespace {

struct FreeContext {
  void operator()(EVP_MD_CTX* context) const noexcept { EVP_MD_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_MD_CTX, FreeContext>;

Context make_context() {
  Context context(EVP_MD_CTX_new());
  if (context == nullptr) throw std::bad_alloc();
  return context;
}

const unsigned char* raw(Bytes bytes) noexcept {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

unsigned char* raw_out(MutableBytes bytes) noexcept {
  return reinterpret_cast<unsigned char*>(bytes.data());
}

}  // namespace

void wipe(MutableBytes bytes) noexcept { OPENSSL_cleanse(bytes.data(), bytes.size()); }

void Signer::Free::operator()(EVP_PKEY* key) const noexcept { EVP_PKEY_free(key); }

Result<Signer> Signer::of_owned(std::unique_ptr<Seed> seed) {
  Signer signer;
  signer.key_.reset(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, raw(seed->bytes),
                                                 seed->bytes.size()));
  signer.seed_ = std::move(seed);
  std::size_t size = kPointBytes;
  if (signer.key_ == nullptr ||
      EVP_PKEY_get_raw_public_key(signer.key_.get(), raw_out(signer.point_), &size) != 1) {
    return base::fail(ErrorCode::internal, "OpenSSL could not make an Ed25519 key");
  }
  return signer;
}

Result<Signer> Signer::generate() {
  auto seed = std::make_unique<Seed>();
  if (RAND_priv_bytes(raw_out(seed->bytes), static_cast<int>(kSeedBytes)) != 1) {
    return base::fail(ErrorCode::internal, "OpenSSL has no random numbers");
  }
  return of_owned(std::move(seed));
}

Result<Signer> Signer::of_seed(std::span<const std::byte, kSeedBytes> seed) {
  auto owned = std::make_unique<Seed>();
  std::ranges::copy(seed, owned->bytes.begin());
  return of_owned(std::move(owned));
}

Result<Signature> Signer::sign(Bytes message) const {
  const Context context = make_context();
  Signature signature;
  std::size_t size = signature.size();
  if (EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key_.get()) != 1 ||
      EVP_DigestSign(context.get(), raw_out(signature), &size, raw(message), message.size()) != 1) {
    return base::fail(ErrorCode::internal, "OpenSSL could not sign");
  }
  return signature;
}

bool verify(const Point& point, Bytes message, const Signature& signature) {
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(
      EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, raw(point), point.size()),
      EVP_PKEY_free);
  if (key == nullptr) return false;
  const Context context = make_context();
  return EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key.get()) == 1 &&
         EVP_DigestVerify(context.get(), raw(signature), signature.size(), raw(message),
                          message.size()) == 1;
}

}  // namespace chunker::sign
