#include "hash/sha256.hpp"

#include <openssl/evp.h>

#include <array>
#include <new>
#include <vector>

#include "chunker/hash.hpp"
#include "hash/sha256_stream.hpp"

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

/// By our own kernels, or by OpenSSL's where there are none.
struct Sha256Stream::State {
  struct Free {
    void operator()(EVP_MD_CTX* old) const noexcept { EVP_MD_CTX_free(old); }
  };

  State() : kernels(hash::sha256_kernels_here()) {
    if (!kernels.empty()) return;
    context.reset(EVP_MD_CTX_new());
    if (context == nullptr) throw std::bad_alloc();
    start();
  }

  void start() { must(EVP_DigestInit_ex2(context.get(), algorithm(), nullptr) == 1); }

  std::span<const hash::Sha256Kernel> kernels;
  hash::Sha256Progress progress;
  std::unique_ptr<EVP_MD_CTX, Free> context;
};

Sha256Stream::Sha256Stream() : state_(std::make_unique<State>()) {}
Sha256Stream::Sha256Stream(Sha256Stream&&) noexcept = default;
Sha256Stream& Sha256Stream::operator=(Sha256Stream&&) noexcept = default;
Sha256Stream::~Sha256Stream() = default;

void Sha256Stream::update(Bytes bytes) { update_many(std::array{this}, std::array{bytes}); }

void Sha256Stream::update_many(std::span<Sha256Stream* const> streams,
                               std::span<const Bytes> pieces) {
  if (streams.empty()) return;
  if (const auto kernels = streams.front()->state_->kernels; !kernels.empty()) {
    std::vector<hash::Sha256Progress*> all;
    for (Sha256Stream* stream : streams) all.push_back(&stream->state_->progress);
    return hash::Sha256Progress::update_many(all, pieces, kernels);
  }
  for (std::size_t i = 0; i < streams.size(); ++i) {
    must(EVP_DigestUpdate(streams[i]->state_->context.get(), pieces[i].data(), pieces[i].size()) ==
         1);
  }
}

Digest Sha256Stream::finish() {
  if (!state_->kernels.empty()) return state_->progress.finish(state_->kernels.front());
  Digest digest;
  must(EVP_DigestFinal_ex(state_->context.get(), raw(digest), nullptr) == 1);
  state_->start();
  return digest;
}

}  // namespace chunker
