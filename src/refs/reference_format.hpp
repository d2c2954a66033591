#pragma once

#include <cstdint>

#include "chunker/bytes.hpp"
#include "chunker/error.hpp"
#include "refs/references.hpp"

// References as two parts of a manifest (doc/format/references.md). They are apart because a rebuild changes the
// hashes and leaves the positions: the list that grows with every reference is stored once.
namespace chunker::refs {

struct EncodedReferences {
  ByteBuffer hash_list;
  ByteBuffer position_list;
};

/// Errors: invalid_argument for references that are no normalizer's of a NAR of `nar_bytes`: out of order,
/// outside the NAR, too many, hashes that occur twice or never.
[[nodiscard]] Result<EncodedReferences> encode_references(const References& references,
                                                          std::uint64_t nar_bytes);

/// Errors: store_corrupt with the offset in the list that the context names, for anything that
/// encode_references() would not write.
[[nodiscard]] Result<References> decode_references(Bytes hash_list, Bytes position_list,
                                                   std::uint64_t nar_bytes);

}  // namespace chunker::refs
