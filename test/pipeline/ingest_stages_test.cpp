#include "pipeline/ingest_stages.hpp"

#include <gtest/gtest.h>
#include <malloc.h>
#include <tbb/enumerable_thread_specific.h>

#include <atomic>
#include <chrono>
#include <new>
#include <thread>

#include "pipeline/store_fixture.hpp"
#include "store/writer.hpp"
#include "support/sanitizers.hpp"

namespace chunker::pipeline {
namespace {

#if defined(__GLIBC__) && !defined(CHUNKER_TEST_SANITIZED)
/// In blocks of their own, which slabs are large enough for.
std::size_t mapped_bytes() { return ::mallinfo2().hblkhd; }
#else
std::size_t mapped_bytes() { return 0; }  // A sanitizer looks for leaks itself.
#endif

class SlabsUnderWay : public test::StoreFixture {
 protected:
  SlabsUnderWay() {
    options_.hash = *HashAlgorithm::custom("waiting", [this](Bytes bytes) {
      is_hashing_ = true;
      while (!is_over_) std::this_thread::yield();
      std::this_thread::sleep_for(std::chrono::milliseconds(10));  // Until everybody knows.
      return HashAlgorithm::blake3().hash(bytes);
    });
  }

  /// Nobody can begin the second NAR, and the only slab of the first is hashed meanwhile.
  void take_in_one_of_two(Store& store, std::span<const IngestSource> sources) {
    Store::Parts& parts = store.parts();
    const IngestOptions options = test::small_chunks();
    const auto hash = ChunkHash::make(parts.options.hash, nullptr);
    const auto plan = CompressionPlan::make(*parts.options.codecs, {});
    const IngestMemory memory{{}, 2, 1 << 20, 4, 1, 8 << 20};
    ProgressMeter progress({}, sources.size(), 0);
    Pool<Slab> slabs;
    NarHashes hashes(memory.hash_bytes_max);
    PackagesUnderWay packages;
    store::StoreWriter writer(parts);
    tbb::enumerable_thread_specific<FrameBuilder> builders(
        [&] { return FrameBuilder(parts, writer, FrameCompressor(*plan)); });
    const IngestShared shared{parts,
                              writer,
                              *hash,
                              *options.chunking.resolve(),
                              options.chunking.recipe,
                              {},
                              false,
                              memory,
                              {},
                              nullptr,
                              progress,
                              slabs,
                              hashes,
                              builders,
                              packages};
    is_hashing_ = is_over_ = false;
    IngestQueue queue(sources);
    const auto ignore = [](const Result<IngestedNar>&) {};
    EXPECT_THROW(ingest_nars(shared, queue,
                             [&](std::size_t i) -> IngestOrder {
                               if (i == 0) return {&sources[0], ignore, [&queue] { queue.end(0); }};
                               while (!is_hashing_) std::this_thread::yield();
                               is_over_ = true;
                               throw std::bad_alloc();
                             }),
                 std::bad_alloc);
  }

  std::atomic<bool> is_hashing_{false}, is_over_{false};
};

TEST_F(SlabsUnderWay, R11_1_AreFreedWhenMemoryEnds) {
#if defined(__GLIBC__)
  ::mallopt(M_MMAP_THRESHOLD, 128 << 10);
#endif
  auto store = open();
  ASSERT_OK(store);
  const std::vector<IngestSource> sources{
      {IngestSource::Kind::nar_file, write_nar("a", test::make_nar({{"f", "1"}})), -1, {}},
      {IngestSource::Kind::nar_file, write_nar("b", test::make_nar({{"f", "2"}})), -1, {}}};
  take_in_one_of_two(*store, sources);
  const std::size_t before = mapped_bytes();
  for (int i = 0; i < 10; ++i) take_in_one_of_two(*store, sources);
  EXPECT_LT(mapped_bytes(), before + (1 << 20));
}

}  // namespace
}  // namespace chunker::pipeline
