#include "pipeline/store_fixture.hpp"
#include "store/parts.hpp"

namespace chunker {
namespace {

using Scratch = test::StoreFixture;

std::string nar_of(std::uint64_t version) {
  return test::make_nar(
      {{"bin", test::random_bytes(1, 1'500'000)}, {"data", test::random_text(version, 2'000'000)}});
}

IngestOptions one_thread() {
  IngestOptions options;
  options.threads = 1;
  options.deltas = false;
  return options;
}

TEST_F(Scratch, R5_3_RestoringAgainAllocatesNoBuffer) {
  auto store = open();
  ASSERT_OK(store);
  ASSERT_OK(take_in(*store, {{"a.nar", nar_of(2)}}, one_thread()));
  const auto found = store->find("a.nar");
  ASSERT_OK(found);
  const auto restore_once = [&] {
    std::string nar;
    const auto append = [&nar](Bytes bytes) -> Result<void> {
      nar.append(text_of(bytes));
      return {};
    };
    EXPECT_OK(restore(*store, found->nar_sha256, append, {.threads = 1}));
    EXPECT_EQ(nar, nar_of(2));
  };
  const ScratchPool& scratch = store->parts().scratch;
  restore_once();
  const auto before = scratch.allocation_count();
  EXPECT_GT(before, 0U);
  EXPECT_GT(scratch.held_bytes(), 0U);
  for (int i = 0; i < 5; ++i) restore_once();
  EXPECT_EQ(scratch.allocation_count(), before);
}

TEST_F(Scratch, R5_3_ManyFramesAreCompressedInFewBuffers) {
  auto store = open();
  ASSERT_OK(store);
  ASSERT_OK(take_in(*store, {{"a.nar", nar_of(2)}}, one_thread()));
  const ScratchPool& scratch = store->parts().scratch;
  const auto first = scratch.allocation_count();
  EXPECT_GT(first, 0U);
  for (std::uint64_t version = 3; version < 9; ++version) {
    const std::string name = std::to_string(version) + ".nar";
    ASSERT_OK(take_in(*store, {{name, nar_of(version)}}, one_thread()));
    EXPECT_GT((*reported_.at(name)).new_chunks, 3U);
  }
  EXPECT_LE(scratch.allocation_count(), first + 2);
}

TEST_F(Scratch, WhatIsHeldStaysWithinTheBound) {
  auto store = open();
  ASSERT_OK(store);
  std::map<std::string, std::string> nars;
  for (std::uint64_t i = 0; i < 6; ++i) nars.emplace("v-" + std::to_string(i), nar_of(i));
  ASSERT_OK(take_in(*store, nars, IngestOptions()));
  for (const auto& [name, nar] : nars) {
    const auto back = give_back(*store, name);
    ASSERT_OK(back);
    EXPECT_EQ(*back, nar);
  }
  EXPECT_LE(store->parts().scratch.held_bytes(), ScratchPool::kHeldBytesMax);
  store->parts().scratch.shrink_to(0);
  EXPECT_EQ(store->parts().scratch.held_bytes(), 0U);
  expect_clean(*store);
}

}  // namespace
}  // namespace chunker
