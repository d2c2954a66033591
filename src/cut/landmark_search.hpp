#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "chunker/bytes.hpp"
#include "cut/executable.hpp"

// Where in the bytes before a natural cut something begins. Each looks back from the end of `window`, tells the
// first place it finds by its index there, from 0 to the window's size, and looks at nothing outside it
// (doc/format/recipe.md).
namespace chunker::cut {

/// Whether `beginning`, the first bytes of a file, is text: no control characters but those that move the cursor.
[[nodiscard]] bool begins_like_text(Bytes beginning) noexcept;

/// The last place where a line begins.
[[nodiscard]] std::optional<std::size_t> last_line(Bytes window) noexcept;

/// The last place where a function or class seems to begin: a line that is not indented, behind an empty one or
/// one that begins with a brace.
[[nodiscard]] std::optional<std::size_t> last_definition(Bytes window) noexcept;

/// The last place where a function seems to begin, or else, where that can be told, an instruction. `offset` is
/// that of the window in its file.
[[nodiscard]] std::optional<std::size_t> last_function(Bytes window, std::uint64_t offset,
                                                       const Executable& executable) noexcept;

}  // namespace chunker::cut
