// Looks into every block of memory that is given back, by C++ or by OpenSSL, for the secret.
#include <gtest/gtest.h>
#include <malloc.h>
#include <openssl/crypto.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <new>

#include "chunker/sign.hpp"

namespace {

// The first key of RFC 8032, section 7.1: "nWGxne/9..." is the base64 of 9d 61 b1 9d ef fd ...
constexpr std::string_view kText =
    "rfc:nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2DXWpgBgrEKt9VL/tPJZAc6DuFy89qmIyWvAhpo9wdRGg==";
constexpr char kSeedStart[] = "\x9d\x61\xb1\x9d\xef\xfd\x5a\x60";
constexpr char kBase64Start[] = "nWGxne/9WmC6";

std::atomic<int> dirty_block_count = 0;

void inspect(void* block) noexcept {
  if (block == nullptr) return;
  const std::size_t size = malloc_usable_size(block);
  for (const std::string_view secret :
       {std::string_view(kSeedStart), std::string_view(kBase64Start)}) {
    if (memmem(block, size, secret.data(), secret.size()) != nullptr) ++dirty_block_count;
  }
}

void* openssl_malloc(std::size_t size, const char*, int) { return std::malloc(size); }
void openssl_free(void* block, const char*, int) {
  inspect(block);
  std::free(block);
}
void* openssl_realloc(void* block, std::size_t size, const char*, int) {
  return std::realloc(block, size);
}

// OpenSSL takes this only before its first allocation.
const bool watches_openssl =
    CRYPTO_set_mem_functions(openssl_malloc, openssl_realloc, openssl_free) == 1;

}  // namespace

// Inlined, g++ takes the malloc inside for a mismatch.
[[gnu::noinline]] void* operator new(std::size_t size) {
  if (void* block = std::malloc(size)) return block;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* block) noexcept {
  inspect(block);
  std::free(block);
}
[[gnu::noinline]] void operator delete(void* block, std::size_t) noexcept {
  operator delete(block);
}

namespace chunker {
namespace {

TEST(Secrets, TheWatcherSeesWhatIsNotWiped) {
  ASSERT_TRUE(watches_openssl);
  dirty_block_count = 0;
  delete new std::string(kText);
  EXPECT_EQ(dirty_block_count, 1);
  void* block = OPENSSL_malloc(64);
  std::memcpy(block, kSeedStart, sizeof kSeedStart);
  OPENSSL_free(block);
  EXPECT_EQ(dirty_block_count, 2);
}

TEST(Secrets, NoneIsLeftInMemoryThatIsGivenBack) {
  dirty_block_count = 0;
  {
    SecretText file(kText.size());
    std::memcpy(file.span().data(), kText.data(), kText.size());
    auto key = SecretKey::parse(file.view());
    ASSERT_TRUE(key);
    SecretText copy = key->text();
    EXPECT_EQ(copy.view(), kText);
    const SecretKey moved = *std::move(key);
    EXPECT_TRUE(moved.public_key().verify("message", *moved.sign("message")));
    copy = SecretText(1);
    file = moved.text();
    EXPECT_FALSE(SecretKey::parse(std::string(kText.substr(0, 40))));
  }
  EXPECT_EQ(dirty_block_count, 1) << "only the test's own std::string";
}

}  // namespace
}  // namespace chunker
