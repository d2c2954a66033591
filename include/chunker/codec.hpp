#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "chunker/algorithm.hpp"
#include "chunker/bytes.hpp"
#include "chunker/error.hpp"
#include "chunker/threads.hpp"

namespace chunker {

/// The number of a codec on disk. Never renumbered; 1024 and above are for codecs of users.
enum class CodecId : std::uint16_t {
  none = 0,
  zstd = 10,
  zstd_x86 = 11,  ///< zstd behind a filter for x86 machine code (doc/format/x86.md)
  lz4 = 20,
  xz = 30,
  bzip2 = 40,
};

/// No more than this comes out of one decompression unless the caller says otherwise (R11.4).
inline constexpr std::uint64_t kDecompressedBytesMax = 1ULL << 30;

/// How hard to compress (R15.1-R15.4, R22.3).
enum class CompressionStrategy : std::uint8_t {
  fastest,    ///< lz4
  balanced,   ///< zstd level 3
  smallest,   ///< zstd level 19
  adaptive,   ///< zstd level 6 where a sample of the content says that it pays, else 3
  automatic,  ///< The registered codec that is cheapest on a sample, bytes and time weighed up
};

/// All of them, in the order above.
inline constexpr CompressionStrategy kCompressionStrategies[] = {
    CompressionStrategy::fastest, CompressionStrategy::balanced, CompressionStrategy::smallest,
    CompressionStrategy::adaptive, CompressionStrategy::automatic};

/// The enumerators' spelling; "auto" for automatic. Static.
[[nodiscard]] std::string_view name(CompressionStrategy strategy) noexcept;

/// A chunk that compresses to more than this share of itself is stored as it is: reading it is then free (R15.6).
inline constexpr double kMinRatioThreshold = 0.95;

/// How new content is compressed.
struct CompressionOptions {
  CompressionStrategy strategy = CompressionStrategy::balanced;
  double min_ratio_threshold = kMinRatioThreshold;  ///< 0 to 1.
  std::uint32_t max_compression_time_ms = 0;        ///< Per chunk (R15.7); 0 is without end.
};

template <>
inline constexpr Threads threads_of<CompressionOptions> = Threads::shared;

/// Whether to stop, asked between pieces of work; an empty one never stops.
using ShouldStop = std::function<bool()>;

/// Contexts and buffers that codecs keep between calls, so that setting them up is paid once.
/// Owns:    whatever each codec left in it.
/// Threads: movable, not shared: one thread at a time (R25.2).
/// Errors:  none.
/// Cost:    empty at first; a zstd level-3 context is about 1.3 MB.
class CompressionScratch {
 public:
  CompressionScratch();
  CompressionScratch(CompressionScratch&&) noexcept;
  CompressionScratch& operator=(CompressionScratch&&) noexcept;
  ~CompressionScratch();

  /// The slot of the codec with this id, for the codec's own use: anything it likes to keep.
  [[nodiscard]] std::shared_ptr<void>& slot(CodecId id, bool compressing);

 private:
  struct Slots;
  std::unique_ptr<Slots> slots_;
};

template <>
inline constexpr Threads threads_of<CompressionScratch> = Threads::movable;

/// What a type must offer to be a codec (R22.1). All methods are const and callable from any thread; what
/// they need to change lives in the scratch.
///   compress    appends the compressed form of `input` to `output`.
///   decompress  appends the decoded bytes to `output`; stops with decompressed_too_large before more than
///               `output_bytes_max` bytes come out, and with codec_corrupt on anything malformed,
///               truncated or followed by other bytes. It need not notice every flipped bit: digests do.
///               A caller who knows the size passes it as the limit and gets one exact allocation.
///   magic_bytes how its output begins, empty if it has no signature.
/// After an error `output` is as it was.
template <class T>
concept Codec = requires(const T codec, Bytes input, CompressionScratch& scratch,
                         ByteBuffer& output, std::uint64_t output_bytes_max) {
  { codec.id() } -> std::same_as<CodecId>;
  { codec.name() } -> std::convertible_to<std::string_view>;
  { codec.magic_bytes() } -> std::convertible_to<Bytes>;
  { codec.compress(input, scratch, output) } -> std::same_as<Result<void>>;
  { codec.decompress(input, output_bytes_max, scratch, output) } -> std::same_as<Result<void>>;
};

/// A codec that can stop in the middle of its work, for which one needs only this besides (R15.7):
///   compress_until  asks `should_stop` before every piece of work, the first one included; at true it returns
///                   false, with `output` as it was. Otherwise it is compress().
template <class T>
concept StoppableCodec = Codec<T> && requires(const T codec, Bytes in, CompressionScratch& scratch,
                                              ByteBuffer& out, const ShouldStop& should_stop) {
  { codec.compress_until(in, scratch, out, should_stop) } -> std::same_as<Result<bool>>;
};

/// A codec that knows how much memory its work takes (R9.5), for which one needs only this besides:
///   context_bytes  what compressing contents of up to `input_bytes_max` leaves in the scratch at most.
template <class T>
concept MeasuredCodec = Codec<T> && requires(const T codec, std::size_t input_bytes_max) {
  { codec.context_bytes(input_bytes_max) } -> std::same_as<std::size_t>;
};

/// Any codec behind one small face.
/// Owns:    a share of the immutable codec; copying is cheap.
/// Threads: shared.
/// Errors:  those of the codec. Ours give codec_failed, codec_corrupt and decompressed_too_large, and
///          unsupported for a frame whose window is beyond 128 MiB.
/// Cost:    one virtual call per frame.
class CompressionCodec {
 public:
  template <Codec T>
  [[nodiscard]] static CompressionCodec of(T codec) {
    return CompressionCodec(std::make_shared<const Model<T>>(std::move(codec)));
  }
  template <Codec T>
    requires DeprecatedAlgorithm<T>
  [[deprecated(
      "this codec says so; its member `deprecated` tells what to use "
      "instead")]] [[nodiscard]] static CompressionCodec
  of(T codec) {
    return CompressionCodec(std::make_shared<const Model<T>>(std::move(codec)));
  }

  [[nodiscard]] CodecId id() const noexcept { return face_->id(); }
  [[nodiscard]] std::string_view name() const noexcept { return face_->name(); }
  [[nodiscard]] Bytes magic_bytes() const noexcept { return face_->magic_bytes(); }
  /// What it is called in caches, metrics, logs and benchmarks.
  [[nodiscard]] AlgorithmInfo info() const {
    return {AlgorithmKind::codec, std::string(name()), std::string(face_->deprecated())};
  }
  [[nodiscard]] Result<void> compress(Bytes input, CompressionScratch& scratch,
                                      ByteBuffer& output) const {
    return face_->compress(input, scratch, output);
  }
  /// As compress(), but stops when `should_stop` says so, and is false then. A codec that is no StoppableCodec
  /// asks before it begins and not again.
  [[nodiscard]] Result<bool> compress_until(Bytes input, CompressionScratch& scratch,
                                            ByteBuffer& output,
                                            const ShouldStop& should_stop) const {
    return face_->compress_until(input, scratch, output, should_stop);
  }
  [[nodiscard]] Result<void> decompress(Bytes input, std::uint64_t output_bytes_max,
                                        CompressionScratch& scratch, ByteBuffer& output) const {
    return face_->decompress(input, output_bytes_max, scratch, output);
  }
  /// 0 from a codec that is no MeasuredCodec.
  [[nodiscard]] std::size_t context_bytes(std::size_t input_bytes_max) const {
    return face_->context_bytes(input_bytes_max);
  }

 private:
  struct Face {
    virtual ~Face() = default;
    virtual CodecId id() const noexcept = 0;
    virtual std::string_view name() const noexcept = 0;
    virtual Bytes magic_bytes() const noexcept = 0;
    virtual std::string_view deprecated() const noexcept = 0;
    virtual Result<void> compress(Bytes, CompressionScratch&, ByteBuffer&) const = 0;
    virtual Result<bool> compress_until(Bytes, CompressionScratch&, ByteBuffer&,
                                        const ShouldStop&) const = 0;
    virtual Result<void> decompress(Bytes, std::uint64_t, CompressionScratch&,
                                    ByteBuffer&) const = 0;
    virtual std::size_t context_bytes(std::size_t) const = 0;
  };
  template <Codec T>
  struct Model final : Face {
    explicit Model(T c) : codec(std::move(c)) {}
    CodecId id() const noexcept override { return codec.id(); }
    std::string_view name() const noexcept override { return codec.name(); }
    Bytes magic_bytes() const noexcept override { return codec.magic_bytes(); }
    std::string_view deprecated() const noexcept override {
      if constexpr (DeprecatedAlgorithm<T>) return T::deprecated;
      return {};
    }
    Result<void> compress(Bytes in, CompressionScratch& scratch, ByteBuffer& out) const override {
      return codec.compress(in, scratch, out);
    }
    Result<bool> compress_until(Bytes in, CompressionScratch& scratch, ByteBuffer& out,
                                const ShouldStop& should_stop) const override {
      if constexpr (StoppableCodec<T>) {
        return codec.compress_until(in, scratch, out, should_stop);
      } else {
        if (should_stop && should_stop()) return false;
        const auto compressed = codec.compress(in, scratch, out);
        if (!compressed) return std::unexpected(compressed.error());
        return true;
      }
    }
    Result<void> decompress(Bytes in, std::uint64_t max, CompressionScratch& scratch,
                            ByteBuffer& out) const override {
      return codec.decompress(in, max, scratch, out);
    }
    std::size_t context_bytes(std::size_t input_bytes_max) const override {
      if constexpr (MeasuredCodec<T>) return codec.context_bytes(input_bytes_max);
      return 0;
    }
    T codec;
  };
  explicit CompressionCodec(std::shared_ptr<const Face> face) : face_(std::move(face)) {}
  std::shared_ptr<const Face> face_;
};

template <>
inline constexpr Threads threads_of<CompressionCodec> = Threads::shared;

/// The codecs that a program knows, in the order they were added.
/// Owns:    its codecs.
/// Threads: movable while it is built; freeze it as shared_ptr<const CodecRegistry> to share it.
/// Errors:  invalid_argument for a second codec of the same id or name; codec_unavailable for an absent one.
/// Cost:    look-ups scan a handful of entries.
class CodecRegistry {
 public:
  /// none, zstd, zstd_x86, lz4, xz and bzip2, as far as this build has them.
  [[nodiscard]] static std::shared_ptr<const CodecRegistry> builtin();

  [[nodiscard]] Result<void> add(CompressionCodec codec);
  [[nodiscard]] Result<CompressionCodec> by_id(CodecId id) const;
  [[nodiscard]] Result<CompressionCodec> by_name(std::string_view name) const;
  /// The codec whose magic bytes `input` begins with, longest first (R22.2).
  [[nodiscard]] Result<CompressionCodec> detect(Bytes input) const;
  /// The codec that a strategy stands for. Of adaptive and automatic the one where nothing speaks for another:
  /// zstd, or for automatic without it the first one. Errors: codec_unavailable.
  [[nodiscard]] Result<CompressionCodec> for_strategy(CompressionStrategy strategy) const;
  /// The one for x86 machine code: zstd_x86 where for_strategy() is zstd, if it is there; else the same.
  [[nodiscard]] Result<CompressionCodec> for_x86_code(CompressionStrategy strategy) const;
  [[nodiscard]] std::span<const CompressionCodec> codecs() const noexcept { return codecs_; }

 private:
  std::vector<CompressionCodec> codecs_;
};

template <>
inline constexpr Threads threads_of<CodecRegistry> = Threads::movable;
template <>
inline constexpr Threads threads_of<const CodecRegistry> = Threads::shared;

/// One of the library's own codecs, working at `level` of its own scale: zstd and zstd_x86 -7 to 22, lz4 0 to 12,
/// xz 0 to 9, bzip2 1 to 9; none ignores it. What they write is read by the built-in ones whatever the level.
/// Errors: invalid_argument for a level outside the scale, codec_unavailable for a codec not in this build.
[[nodiscard]] Result<CompressionCodec> builtin_codec(CodecId id, int level);

}  // namespace chunker
