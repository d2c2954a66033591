#include "store/pack_writer.hpp"

#include "base/check.hpp"
#include "base/try.hpp"

namespace chunker::store {

Result<PackWriter> PackWriter::begin(Store::Parts& parts) {
  CHUNKER_TRY(auto blob, parts.blobs->create());
  CHUNKER_TRY_VOID(blob->append(pack_magic()));
  return PackWriter(parts, std::move(blob));
}

Result<void> PackWriter::add(PackRecord record, Bytes payload) {
  CHUNKER_CHECK(payload_bytes(record) == payload.size());
  CHUNKER_TRY_VOID(check_record(record));
  const std::uint64_t record_bytes = store::directory_bytes(record);
  if (record_bytes > kDirectoryBytesMax - directory_bytes_) {
    return base::fail(ErrorCode::invalid_argument, "a pack cannot hold so many records");
  }
  // All that can throw comes before the first change.
  directory_.records.push_back(std::move(record));
  if (!payload.empty()) CHUNKER_TRY_VOID(blob_->append(payload));
  payload_end_ += payload.size();
  directory_bytes_ += record_bytes;
  return {};
}

Result<void> PackWriter::add_frame(FrameRecord record, Bytes payload) {
  return add(std::move(record), payload);
}

Result<void> PackWriter::add_manifest(ManifestRecord record, Bytes payload) {
  return add(record, payload);
}

Result<void> PackWriter::add_name(NameRecord record) { return add(std::move(record), {}); }

Result<void> PackWriter::add_removal(RemovalRecord record) { return add(std::move(record), {}); }

std::string PackWriter::key() const {
  if (parts_->options.layout == StoreLayout::objects) {
    const auto* frame = std::get_if<FrameRecord>(&directory_.records.front());
    if (frame != nullptr && directory_.records.size() == 1 && frame->chunks.size() == 1) {
      return chunk_key(frame->chunks.front().digest);
    }
  }
  return store::pack_key(pack_digest(directory_));
}

Result<void> PackWriter::commit(std::uint64_t sequence) {
  if (sequence > kSequenceMax) {
    return base::fail(ErrorCode::store_corrupt, "the store's packs have used up all sequences");
  }
  directory_.sequence = sequence;
  const ByteBuffer end = encode_pack_end(directory_, payload_end_);
  CHUNKER_TRY_VOID(blob_->append(end));
  const std::string blob_key = key();
  parts_->unsettled = true;
  CHUNKER_TRY_VOID(blob_->commit(blob_key));
  CHUNKER_TRY_VOID(parts_->index->add_pack(blob_key, payload_end_ + end.size(), directory_));
  parts_->unsettled = false;
  return {};
}

}  // namespace chunker::store
