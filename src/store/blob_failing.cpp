#include "store/blob_failing.hpp"

#include <utility>

#include "base/try.hpp"

namespace chunker::store {
namespace {

std::unexpected<Error> injected(Fault&& fault, std::string_view key) {
  return std::unexpected(std::move(fault.error).within(key));
}

bool refuses(const std::optional<Fault>& fault) noexcept {
  return fault && fault->kind == FaultKind::refused;
}

bool tears(const std::optional<Fault>& fault) noexcept {
  return fault && fault->kind == FaultKind::torn;
}

}  // namespace

FaultPlan fault_at(BlobOperation operation, std::uint64_t number, Fault fault) {
  return [=](const BlobCall& call) -> std::optional<Fault> {
    if (call.operation == operation && call.number == number) return fault;
    return std::nullopt;
  };
}

class FailingBlobStore::Writer final : public BlobWriter {
 public:
  Writer(FailingBlobStore& store, std::unique_ptr<BlobWriter> inner)
      : store_(store), inner_(std::move(inner)) {}

  Result<void> append(Bytes bytes) override {
    if (failed_) return std::unexpected(*failed_);
    auto fault = store_.next_fault(BlobOperation::append, {});
    if (tears(fault)) CHUNKER_TRY_VOID(inner_->append(bytes.first(bytes.size() / 2)));
    if (refuses(fault) || tears(fault)) return remember(injected(*std::move(fault), {}));
    return inner_->append(bytes);
  }

  Result<void> commit(std::string_view key) override {
    if (failed_) return std::unexpected(*failed_);
    auto fault = store_.next_fault(BlobOperation::commit, key);
    if (tears(fault)) CHUNKER_TRY_VOID(inner_->commit(key));
    if (refuses(fault) || tears(fault)) return remember(injected(*std::move(fault), key));
    return inner_->commit(key);
  }

 private:
  Result<void> remember(std::unexpected<Error> error) {
    failed_ = error.error();
    return error;
  }

  FailingBlobStore& store_;
  std::unique_ptr<BlobWriter> inner_;
  std::optional<Error> failed_;
};

FailingBlobStore::FailingBlobStore(std::unique_ptr<BlobStore> inner, FaultPlan plan)
    : inner_(std::move(inner)), plan_(std::move(plan)) {}

void FailingBlobStore::set_plan(FaultPlan plan) {
  const base::Lock lock(mutex_);
  plan_ = std::move(plan);
  call_counts_.fill(0);
}

std::optional<Fault> FailingBlobStore::next_fault(BlobOperation operation, std::string_view key) {
  const base::Lock lock(mutex_);
  const std::uint64_t number = ++call_counts_[static_cast<std::size_t>(operation)];
  return plan_ ? plan_({operation, key, number}) : std::nullopt;
}

Result<std::unique_ptr<BlobWriter>> FailingBlobStore::create() {
  auto fault = next_fault(BlobOperation::create, {});
  if (refuses(fault) || tears(fault)) return injected(*std::move(fault), {});
  CHUNKER_TRY(auto writer, inner_->create());
  return std::make_unique<Writer>(*this, std::move(writer));
}

Result<void> FailingBlobStore::read(std::string_view key, std::uint64_t offset_bytes,
                                    MutableBytes out) {
  auto fault = next_fault(BlobOperation::read, key);
  if (refuses(fault)) return injected(*std::move(fault), key);
  if (tears(fault)) {
    CHUNKER_TRY_VOID(inner_->read(key, offset_bytes, out.first(out.size() / 2)));
    return injected(*std::move(fault), key);
  }
  CHUNKER_TRY_VOID(inner_->read(key, offset_bytes, out));
  if (fault && !out.empty()) out[out.size() / 2] ^= std::byte{1};
  return {};
}

Result<std::uint64_t> FailingBlobStore::size(std::string_view key) {
  auto fault = next_fault(BlobOperation::size, key);
  if (refuses(fault) || tears(fault)) return injected(*std::move(fault), key);
  return inner_->size(key);
}

Result<void> FailingBlobStore::list(std::string_view prefix, const Visit& visit) {
  auto fault = next_fault(BlobOperation::list, prefix);
  if (refuses(fault) || tears(fault)) return injected(*std::move(fault), prefix);
  return inner_->list(prefix, visit);
}

Result<void> FailingBlobStore::remove(std::string_view key) {
  auto fault = next_fault(BlobOperation::remove, key);
  if (refuses(fault)) return injected(*std::move(fault), key);
  CHUNKER_TRY_VOID(inner_->remove(key));
  if (tears(fault)) return injected(*std::move(fault), key);
  return {};
}

Result<void> FailingBlobStore::rename(std::string_view from, std::string_view to) {
  auto fault = next_fault(BlobOperation::rename, to);
  if (refuses(fault)) return injected(*std::move(fault), to);
  CHUNKER_TRY_VOID(inner_->rename(from, to));
  if (tears(fault)) return injected(*std::move(fault), to);
  return {};
}

}  // namespace chunker::store
