#pragma once

#include <cstdint>
#include <expected>
#include <limits>
#include <string>
#include <string_view>

#include "chunker/threads.hpp"

namespace chunker {

/// What went wrong, as a number that leaves the process: C statuses, NIF atoms and logs carry it.
/// Grouped by hundreds with gaps. A number is never changed and never used again.
enum class ErrorCode : std::uint16_t {
  invalid_argument = 10,  ///< A parameter, flag or recipe that cannot be meant.
  unsupported = 11,       ///< Well formed, but not something this build or version can do.
  internal = 12,          ///< A dependency failed in a way its contract does not allow.

  nar_bad_magic = 100,         ///< The input does not begin like a NAR.
  nar_bad_padding = 101,       ///< A byte of padding is not zero.
  nar_truncated = 102,         ///< The input ends inside the archive.
  nar_trailing_bytes = 103,    ///< Bytes follow the archive's end.
  nar_unexpected_token = 104,  ///< The grammar does not allow this token here.
  nar_bad_name = 105,          ///< An entry name is empty, too long, ".", ".." or holds '/' or NUL.
  nar_names_unsorted = 106,    ///< Names of one directory do not ascend strictly.
  nar_too_deep = 107,          ///< Directories are nested deeper than the limit.
  nar_bad_target = 108,        ///< A symlink target is empty, too long or holds NUL.
  nar_bad_length = 109,        ///< A length field is beyond what any archive can hold.
  nar_unsupported_file = 110,  ///< A file tree holds something a NAR cannot (socket, device).
  nar_unsafe_target = 111,     ///< Unpacking would write where it must not.

  codec_unavailable = 200,       ///< No codec with this name or wire id is registered.
  codec_failed = 201,            ///< The compressor refused its input or its parameters.
  codec_corrupt = 202,           ///< Compressed bytes do not decode.
  decompressed_too_large = 203,  ///< Decoding would exceed the caller's limit.
  dictionary_unavailable = 204,  ///< A frame needs a dictionary that is not here.

  store_not_found = 300,       ///< No such NAR, chunk or blob. Asking again will not help.
  store_corrupt = 301,         ///< Stored bytes break their format.
  digest_mismatch = 302,       ///< Bytes do not hash to the name they were kept under.
  store_locked = 303,          ///< Another process writes to this store.
  store_version = 304,         ///< The store was made by a version this one cannot read.
  store_ambiguous_name = 305,  ///< A hash prefix fits several NARs.
  store_chunk_missing = 306,   ///< A manifest names a chunk that the store does not have.

  io_unavailable = 400,     ///< The device or server cannot do it at present.
  io_not_found = 401,       ///< No such file or directory.
  io_permission = 402,      ///< The operating system denies access.
  io_no_space = 403,        ///< The device or quota is full.
  io_failed = 404,          ///< The device reports an error for these bytes.
  io_changed = 405,         ///< The input changed while it was read.
  io_too_many_files = 406,  ///< No file descriptor is left.

  cancelled = 500,                ///< The caller asked to stop.
  memory_limit_exceeded = 501,    ///< The budget does not allow this allocation.
  cpu_time_limit_exceeded = 502,  ///< The quota's CPU time is used up; what is finished is kept.

  key_invalid = 600,        ///< A key is not in Nix's format or has the wrong length.
  signature_invalid = 601,  ///< A signature does not fit key and message.
};

/// Whether doing the same again can help. A property of the error, never of the caller.
enum class Retry : std::uint8_t {
  never,           ///< The same call gives the same error.
  later,           ///< Something outside must change first: space, locks, a server.
  caller_stopped,  ///< The caller asked for it; this is not a failure.
};

/// Why a call failed: which error, where in the input, and what in words.
/// Owns:    `context`, empty or the path, entry or server message that names the thing at fault.
/// Threads: movable.
/// Errors:  none.
/// Cost:    no allocation unless a context is given.
struct Error {
  static constexpr std::uint64_t kNoOffset = std::numeric_limits<std::uint64_t>::max();

  ErrorCode code;
  std::string_view what;                   ///< Static text; a sentence without its full stop.
  std::uint64_t offset_bytes = kNoOffset;  ///< Where in the input, if that has a meaning.
  std::string context{};                   ///< "file.nar", "file.nar: bin/sh", ...

  /// The same error, with `outer` (a path, say) put before the context.
  [[nodiscard]] Error within(std::string_view outer) &&;

  friend bool operator==(const Error&, const Error&) = default;
};

template <>
inline constexpr Threads threads_of<Error> = Threads::movable;

template <class T>
using Result = std::expected<T, Error>;

/// The enumerator's spelling, for example "nar_bad_padding". Static.
[[nodiscard]] std::string_view name(ErrorCode code) noexcept;

/// Whether repeating the call can help.
[[nodiscard]] Retry retry(ErrorCode code) noexcept;

/// The enumerator's spelling: "never", "later" or "caller_stopped". Static.
[[nodiscard]] std::string_view name(Retry retry) noexcept;

/// One line for people: "context: what at byte 123 (nar_bad_padding; retry: never)".
[[nodiscard]] std::string describe(const Error& error);

}  // namespace chunker
