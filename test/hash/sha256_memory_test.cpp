// Lets allocations fail one after the other.
#include <gtest/gtest.h>

#include <cstdlib>
#include <new>
#include <string>
#include <vector>

#include "chunker/hash.hpp"

namespace {

constinit thread_local int allocations_left = -1;  ///< Until one fails; negative is without end.

}  // namespace

// Inlined, g++ takes the malloc inside for a mismatch.
[[gnu::noinline]] void* operator new(std::size_t size) {
  if (allocations_left == 0) throw std::bad_alloc();
  if (allocations_left > 0) --allocations_left;
  void* const block = std::malloc(size);
  if (block == nullptr) throw std::bad_alloc();
  return block;
}
[[gnu::noinline]] void operator delete(void* block) noexcept { std::free(block); }
[[gnu::noinline]] void operator delete(void* block, std::size_t) noexcept { std::free(block); }

namespace chunker {
namespace {

TEST(Sha256Stream, WithoutMemoryEveryStreamStaysAsItWas) {
  const std::string text(1000, 'x');
  std::vector<Sha256Stream> all(3);
  std::vector<Sha256Stream*> streams;
  std::vector<Bytes> pieces;
  for (Sha256Stream& stream : all) {
    stream.update(bytes_of(text).first(10));
    streams.push_back(&stream);
    pieces.push_back(bytes_of(text).subspan(10));
  }
  bool done = false;
  for (int allocations = 0; !done; ++allocations) {
    allocations_left = allocations;
    try {
      Sha256Stream::update_many(streams, pieces);
      done = true;
    } catch (const std::bad_alloc&) {
    }
    allocations_left = -1;
  }
  for (Sha256Stream& stream : all) {
    EXPECT_EQ(stream.finish(), HashAlgorithm::sha256().hash(bytes_of(text)));
  }
}

}  // namespace
}  // namespace chunker
