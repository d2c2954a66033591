#include "store/index_memory.hpp"

#include <gtest/gtest.h>

#include <memory>

#include "store/index.hpp"
#include "support/temporary_directory.hpp"

namespace chunker::store {
namespace {

constexpr std::size_t kMiB = 1 << 20;

std::shared_ptr<MemoryBudget> budget_of(std::size_t hard) {
  return std::make_shared<MemoryBudget>(MemoryBudgetOptions{.hard_limit_bytes = hard});
}

TEST(IndexMemory, R9_2_BuffersAreSmallerWithinABudget) {
  const auto free = IndexMemory::make(nullptr, true);
  const auto bounded = IndexMemory::make(budget_of(64 * kMiB), true);
  ASSERT_TRUE(free && bounded);
  EXPECT_EQ((*free)->write_buffer_bytes(), 8 * kMiB);
  EXPECT_EQ((*free)->block_cache()->GetCapacity(), 16 * kMiB);
  EXPECT_LT((*bounded)->write_buffer_bytes(), 2 * kMiB);
  EXPECT_LT((*bounded)->block_cache()->GetCapacity(), 2 * kMiB);
}

TEST(IndexMemory, R9_2_TheCacheMakesWay) {
  const auto budget = budget_of(256 * kMiB);
  const auto memory = IndexMemory::make(budget, false);
  ASSERT_TRUE(memory);
  EXPECT_EQ(budget->usage().current_usage_bytes, 7 * kMiB);
  EXPECT_EQ((*memory)->block_cache()->GetCapacity(), 7 * kMiB);
  budget->evict(2 * kMiB);
  EXPECT_EQ((*memory)->block_cache()->GetCapacity(), 5 * kMiB);
  budget->evict();
  EXPECT_EQ((*memory)->block_cache()->GetCapacity(), kMiB) << "some of it stays";
  EXPECT_EQ(budget->usage().current_usage_bytes, kMiB);
}

TEST(IndexMemory, R9_1_R9_3_AnIndexCountsAsLongAsItIsOpen) {
  const test::TemporaryDirectory directory;
  const auto budget = budget_of(64 * kMiB);
  {
    const auto index = Index::open(directory.path() / "index", Index::Access::write, budget);
    ASSERT_TRUE(index);
    EXPECT_GT(budget->usage().current_usage_bytes, 5 * kMiB);
    const auto rest = budget->reserve(55 * kMiB);
    ASSERT_TRUE(rest);
    const auto second = Index::open(directory.path() / "other", Index::Access::write, budget);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, ErrorCode::memory_limit_exceeded);
  }
  EXPECT_EQ(budget->usage().current_usage_bytes, 0U);
}

}  // namespace
}  // namespace chunker::store
