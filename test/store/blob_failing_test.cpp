#include "store/blob_failing.hpp"

#include <gtest/gtest.h>

#include <string>

#include "store/blob_memory.hpp"

namespace chunker::store {
namespace {

class FailingBlobs : public ::testing::Test {
 protected:
  FailingBlobStore blobs_{std::make_unique<MemoryBlobStore>()};

  Result<void> put(std::string_view key, std::string_view text) {
    auto writer = blobs_.create();
    if (!writer) return std::unexpected(writer.error());
    if (auto appended = (*writer)->append(bytes_of(text)); !appended) return appended;
    return (*writer)->commit(key);
  }

  Result<std::string> get(std::string_view key) {
    const auto size = blobs_.size(key);
    if (!size) return std::unexpected(size.error());
    ByteBuffer bytes(static_cast<std::size_t>(*size));
    if (auto read = blobs_.read(key, 0, bytes.span()); !read) return std::unexpected(read.error());
    return std::string(text_of(bytes));
  }
};

TEST_F(FailingBlobs, OnlyTheNthCallOfThatKindFails) {
  blobs_.set_plan(fault_at(BlobOperation::commit, 2));
  EXPECT_TRUE(put("a", "1"));
  const auto second = put("b", "2");
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::io_failed);
  EXPECT_EQ(second.error().context, "b");
  EXPECT_TRUE(put("c", "3"));
  EXPECT_EQ(get("b").error().code, ErrorCode::store_not_found);
}

TEST_F(FailingBlobs, EveryOperationCanFail) {
  ASSERT_TRUE(put("k", "text"));
  const auto everything = [](const BlobCall&) { return Fault{}; };
  blobs_.set_plan(everything);
  std::byte one{};
  EXPECT_FALSE(blobs_.create());
  EXPECT_FALSE(blobs_.read("k", 0, {&one, 1}));
  EXPECT_FALSE(blobs_.size("k"));
  EXPECT_FALSE(blobs_.list("", [](const auto&) -> Result<void> { return {}; }));
  EXPECT_FALSE(blobs_.remove("k"));
  blobs_.set_plan({});
  EXPECT_EQ(get("k"), "text");

  auto writer = blobs_.create();
  ASSERT_TRUE(writer);
  blobs_.set_plan(everything);
  EXPECT_FALSE((*writer)->append(bytes_of("x")));
}

TEST_F(FailingBlobs, PredicatesSeeOperationAndKey) {
  blobs_.set_plan([](const BlobCall& call) -> std::optional<Fault> {
    if (call.operation != BlobOperation::read || !call.key.starts_with("packs/")) return {};
    return Fault{FaultKind::refused, Error{ErrorCode::io_unavailable, "gone for a while"}};
  });
  ASSERT_TRUE(put("packs/a", "x"));
  ASSERT_TRUE(put("chunks/a", "y"));
  EXPECT_EQ(get("chunks/a"), "y");
  EXPECT_EQ(get("packs/a").error().code, ErrorCode::io_unavailable);
}

TEST_F(FailingBlobs, ATornAppendWritesHalfAndRepeatsItsError) {
  blobs_.set_plan(fault_at(BlobOperation::append, 1,
                           {FaultKind::torn, Error{ErrorCode::io_no_space, "disk full"}}));
  auto writer = blobs_.create();
  ASSERT_TRUE(writer);
  EXPECT_EQ((*writer)->append(bytes_of("0123")).error().code, ErrorCode::io_no_space);
  EXPECT_EQ((*writer)->append(bytes_of("4567")).error().code, ErrorCode::io_no_space);
  EXPECT_EQ((*writer)->commit("k").error().code, ErrorCode::io_no_space);
  EXPECT_EQ(get("k").error().code, ErrorCode::store_not_found);
}

TEST_F(FailingBlobs, ATornCommitIsDoneAndReportedAsFailed) {
  blobs_.set_plan(fault_at(BlobOperation::commit, 1, {FaultKind::torn}));
  EXPECT_FALSE(put("k", "text"));
  EXPECT_EQ(get("k"), "text");
}

TEST_F(FailingBlobs, ALyingReadFlipsOneBit) {
  ASSERT_TRUE(put("k", "text"));
  blobs_.set_plan(fault_at(BlobOperation::read, 1, {FaultKind::lying}));
  const auto lied = get("k");
  ASSERT_TRUE(lied);
  EXPECT_NE(*lied, "text");
  EXPECT_EQ(lied->size(), 4U);
  EXPECT_EQ(get("k"), "text");
}

}  // namespace
}  // namespace chunker::store
