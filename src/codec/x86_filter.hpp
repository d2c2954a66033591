#pragma once

#include "chunker/bytes.hpp"

// Machine code calls one function from many places, each time by another distance. As the same number for the
// same function, a compressor finds them again (doc/format/x86.md has the rules).
namespace chunker::codec {

/// Replaces what looks like a near distance by the position it leads to, counted from the first of `content`.
void x86_to_absolute(MutableBytes content) noexcept;
/// What x86_to_absolute() was given, from what it made of it; whatever the bytes were.
void x86_to_relative(MutableBytes content) noexcept;

/// Whether `content` has so many calls backward that the filter very probably pays. Sees a sample of 8 KiB.
[[nodiscard]] bool looks_like_x86(Bytes content) noexcept;

}  // namespace chunker::codec
