#pragma once

#include <cstddef>

#include "chunker/bytes.hpp"
#include "chunker/error.hpp"
#include "store/field_reader.hpp"
#include "store/pack.hpp"

// The records of a pack's directory (doc/format/pack.md).
namespace chunker::store {

/// A removal is the shortest record: kind, length, one character.
inline constexpr std::size_t kRecordBytesMin = 3;

/// Appends a record that passes check_record().
void append_record(ByteBuffer& to, const PackRecord& record);

/// Errors: store_corrupt with the offset, store_version for flags of a later version.
[[nodiscard]] Result<PackRecord> read_record(FieldReader& reader);

}  // namespace chunker::store
