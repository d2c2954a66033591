#include "hash/sha256.hpp"

#include <openssl/evp.h>

#include <new>

#include "chunker/hash.hpp"

namespace chunker {
namespace {

unsigned char* raw(Digest& digest) noexcept {
  return reinterpret_cast<unsigned char*>(digest.bytes.data());
}

// Memory is the only thing that these calls can be short of.
void must(bool success) {
  if (!success) throw std::bad_alloc();
}

// Fetched once: OpenSSL 3 otherwise looks the algorithm up on every call, which costs as much as
// hashing several hundred bytes.
const EVP_MD* algorithm() {
  static const EVP_MD* const fetched = [] {
    const EVP_MD* const found = EVP_MD_fetch(nullptr, "SHA256", nullptr);
    must(found != nullptr);
    return found;
  }();
  return fetched;
}

}  // namespace

namespace hash {

Digest sha256(Bytes bytes) {
  Digest digest;
  must(EVP_Digest(bytes.data(), bytes.size(), raw(digest), nullptr, algorithm(), nullptr) == 1);
  return digest;
}

}  // namespace hash

struct Sha256Stream::State {
  struct Free {
    void operator()(EVP_MD_CTX* old) const noexcept { EVP_MD_CTX_free(old); }
  };

  State() {
    if (context == nullptr) throw std::bad_alloc();
    start();
  }

  void start() { must(EVP_DigestInit_ex2(context.get(), algorithm(), nullptr) == 1); }

  std::unique_ptr<EVP_MD_CTX, Free> context{EVP_MD_CTX_new()};
};

Sha256Stream::Sha256Stream() : state_(std::make_unique<State>()) {}
Sha256Stream::Sha256Stream(Sha256Stream&&) noexcept = default;
Sha256Stream& Sha256Stream::operator=(Sha256Stream&&) noexcept = default;
Sha256Stream::~Sha256Stream() = default;

void Sha256Stream::update(Bytes bytes) {
  must(EVP_DigestUpdate(state_->context.get(), bytes.data(), bytes.size()) == 1);
}

Digest Sha256Stream::finish() {
  Digest digest;
  must(EVP_DigestFinal_ex(state_->context.get(), raw(digest), nullptr) == 1);
  state_->start();
  return digest;
}

}  // namespace chunker
