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
  if (!payload.empty()) CHUNKER_TRY_VOID(blob_->append(payload));
  payload_end_ += payload.size();
  directory_bytes_ += store::directory_bytes(record);
  directory_.records.push_back(std::move(record));
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
    if (const auto* frame = std::get_if<FrameRecord>(&directory_.records.front())) {
      CHUNKER_CHECK(directory_.records.size() == 1 && frame->chunks.size() == 1);
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
  CHUNKER_TRY_VOID(blob_->commit(blob_key));
  return parts_->index->add_pack(blob_key, payload_end_ + end.size(), directory_);
}

}  // namespace chunker::store
