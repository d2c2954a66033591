#pragma once

#include <cstdint>
#include <string_view>

#include "chunker/bytes.hpp"
#include "chunker/threads.hpp"

// What content is, and whether compressing it is worth the time, told from few of its bytes. Everything here is
// a guess that costs bytes or time when it is wrong, never data: nothing decides how bytes are read back.

namespace chunker {

/// No more than so many bytes from the beginning decide type and format (R16.1).
inline constexpr std::size_t kSniffedBytesMax = 4096;

/// The kinds that are treated differently. Numbers are for metadata: never renumbered.
enum class ContentType : std::uint8_t {
  binary = 1,      ///< Machine code, tables, archives of such: everything else.
  text = 2,        ///< UTF-8, UTF-16 with its mark, or a one-byte encoding.
  compressed = 3,  ///< What a compressor (or a cipher) wrote.
  multimedia = 4,  ///< Pictures, sound, video.
};

/// The concrete format, where its first bytes say so. Never renumbered.
enum class ContentFormat : std::uint8_t {
  unknown = 0,

  elf = 1,
  mach_o = 2,  ///< Also universal ("fat") ones.
  pe = 3,      ///< Programs of Windows and UEFI.
  wasm = 4,
  java_class = 5,
  ar = 6,  ///< Static libraries, .deb.
  tar = 7,
  nar = 8,
  sqlite = 9,
  pdf = 10,

  gzip = 40,
  zstd = 41,
  xz = 42,
  bzip2 = 43,
  lz4 = 44,
  zip = 45,  ///< Also .jar, .whl, .docx, .apk.
  seven_zip = 46,
  rar = 47,
  lzip = 48,
  woff = 49,
  woff2 = 50,

  png = 80,
  jpeg = 81,
  gif = 82,
  webp = 83,
  jpeg_xl = 84,
  tiff = 85,
  ogg = 86,
  flac = 87,
  mp3 = 88,
  wav = 89,
  avi = 90,
  mp4 = 91,       ///< And all that is built alike: .m4a, .mov, AVIF, HEIC.
  matroska = 92,  ///< And WebM.
};

struct ContentKind {
  ContentType type;
  ContentFormat format;

  friend bool operator==(const ContentKind&, const ContentKind&) = default;
};

template <>
inline constexpr Threads threads_of<ContentKind> = Threads::shared;

/// What one chunk's metadata says of its bytes (R16.3, R16.6).
struct ContentProfile {
  ContentType type;
  ContentFormat format;
  bool run_length;         ///< Over 90 % of the sample is one byte value.
  float entropy_estimate;  ///< Order 0, in bits per byte, 0 to 8.

  friend bool operator==(const ContentProfile&, const ContentProfile&) = default;
};

template <>
inline constexpr Threads threads_of<ContentProfile> = Threads::shared;

/// From this entropy_estimate on, compressing is nearly always in vain: it finds 97 % of the 512 KiB chunks that
/// zstd -3 makes less than 5 % smaller, and 92 % of those it finds are such (bench/RESULTS.md, "Content").
inline constexpr float kIncompressibleEntropy = 7.9F;

/// Type and format of a file that begins with `beginning`; bytes beyond kSniffedBytesMax are not looked at. For
/// bytes from the middle of a file the type is as good as statistics can tell, and the format mostly unknown.
/// Errors: none; what is not recognized is binary. Cost: 0.2 us for a known format, 2 to 4.5 us else.
[[nodiscard]] ContentKind sniff_content(Bytes beginning) noexcept;

/// The kind of a chunk that begins like this, with entropy and run-length hint from a sample of 64 times 64 bytes
/// spread evenly over it; all of a chunk of up to 4096 bytes.
/// Errors: none. Cost: 2 us more than sniff_content, whatever the size.
[[nodiscard]] ContentProfile profile_content(Bytes chunk) noexcept;

/// Whether files of this format are compressed inside, so that compressing them again is mostly in vain (R15.5,
/// R16.2).
[[nodiscard]] bool compresses_itself(ContentFormat format) noexcept;

/// The enumerators' spelling. Static.
[[nodiscard]] std::string_view name(ContentType type) noexcept;
[[nodiscard]] std::string_view name(ContentFormat format) noexcept;

}  // namespace chunker
