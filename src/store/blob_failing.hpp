#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/mutex.hpp"
#include "store/blob.hpp"

namespace chunker::store {

enum class BlobOperation : std::uint8_t {
  create,
  append,
  commit,
  read,
  size,
  list,
  remove,
  rename
};

/// How an injected fault looks to the caller and to the blobs.
enum class FaultKind : std::uint8_t {
  refused,  ///< Nothing is done; the error comes back.
  torn,  ///< append and read do the first half, commit, remove and rename everything; the error comes back.
  lying,  ///< read flips one bit and reports success. Other operations just work.
};

struct Fault {
  FaultKind kind = FaultKind::refused;
  Error error{ErrorCode::io_failed, "injected fault"};
};

/// One call about to be made. `key` is empty for create and append, and the prefix for list,
/// the new key for rename.
struct BlobCall {
  BlobOperation operation;
  std::string_view key;
  std::uint64_t number;  ///< 1 for the first call of this operation.
};

/// Which calls fail; asked once per call, one call at a time.
using FaultPlan = std::function<std::optional<Fault>(const BlobCall&)>;

/// The n-th call of `operation` (counted from 1) fails, and no other.
[[nodiscard]] FaultPlan fault_at(BlobOperation operation, std::uint64_t number, Fault fault = {});

/// Makes another store fail as planned, so that tests can show what a fault leads to.
/// Owns:    the store it decorates.
/// Threads: shared.
/// Errors:  those of the decorated store and of the plan, the latter with the key as context.
/// Cost:    one call of the plan per call.
class FailingBlobStore final : public BlobStore {
 public:
  explicit FailingBlobStore(std::unique_ptr<BlobStore> inner, FaultPlan plan = {});

  /// Takes effect from the next call on; calls are counted afresh. An empty plan never fails.
  void set_plan(FaultPlan plan);

  [[nodiscard]] Result<std::unique_ptr<BlobWriter>> create() override;
  [[nodiscard]] Result<void> read(std::string_view key, std::uint64_t offset_bytes,
                                  MutableBytes out) override;
  [[nodiscard]] Result<std::uint64_t> size(std::string_view key) override;
  [[nodiscard]] Result<void> list(std::string_view prefix, const Visit& visit) override;
  [[nodiscard]] Result<void> remove(std::string_view key) override;
  [[nodiscard]] Result<void> rename(std::string_view from, std::string_view to) override;

 private:
  class Writer;
  static constexpr std::size_t kOperationCount = 8;

  [[nodiscard]] std::optional<Fault> next_fault(BlobOperation operation, std::string_view key);

  const std::unique_ptr<BlobStore> inner_;
  base::Mutex mutex_;
  FaultPlan plan_ CHUNKER_GUARDED_BY(mutex_);
  std::array<std::uint64_t, kOperationCount> call_counts_ CHUNKER_GUARDED_BY(mutex_){};
};

}  // namespace chunker::store
