#pragma once

#include <cstdint>
#include <memory>

#include "chunker/bytes.hpp"
#include "chunker/error.hpp"
#include "store/parts.hpp"

namespace chunker::store {

/// One pack being written. Nothing of it exists for others before commit().
/// Owns:    the unfinished blob.
/// Threads: movable.
/// Errors:  io_*; invalid_argument for a record that readers would refuse. After one, only dropping it
///          makes sense.
/// Cost:    payloads go straight to the blob; the directory is kept in memory.
class PackWriter {
 public:
  [[nodiscard]] static Result<PackWriter> begin(Store::Parts& parts);

  [[nodiscard]] Result<void> add_frame(FrameRecord record, Bytes payload);
  [[nodiscard]] Result<void> add_manifest(ManifestRecord record, Bytes payload);
  [[nodiscard]] Result<void> add_name(NameRecord record);
  [[nodiscard]] Result<void> add_removal(RemovalRecord record);

  [[nodiscard]] bool empty() const noexcept { return directory_.records.empty(); }
  /// Size of the blob if it ended here.
  [[nodiscard]] std::uint64_t bytes() const noexcept { return payload_end_ + directory_bytes_; }
  [[nodiscard]] const PackDirectory& directory() const noexcept { return directory_; }

  /// Ends the pack as number `sequence`: durable first, then in the index.
  [[nodiscard]] Result<void> commit(std::uint64_t sequence);

 private:
  PackWriter(Store::Parts& parts, std::unique_ptr<BlobWriter> blob)
      : parts_(&parts), blob_(std::move(blob)) {}
  [[nodiscard]] Result<void> add(PackRecord record, Bytes payload);
  [[nodiscard]] std::string key() const;

  Store::Parts* parts_;
  std::unique_ptr<BlobWriter> blob_;
  PackDirectory directory_;
  std::uint64_t payload_end_ = kPackMagicBytes;
  std::uint64_t directory_bytes_ = kPackTrailerBytes;
};

}  // namespace chunker::store
