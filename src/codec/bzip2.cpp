#include "codec/bzip2.hpp"

#include <bzlib.h>

#include <algorithm>
#include <limits>
#include <new>

#include "base/try.hpp"
#include "codec/bounded_output.hpp"
#include "codec/magic.hpp"

namespace chunker::codec {
namespace {

constexpr auto kMagic = magic('B', 'Z', 'h');
constexpr int kLevelMin = 1, kLevelMax = 9;

// bzip2 counts in unsigned int, so large inputs and rooms are passed in pieces.
unsigned piece(std::size_t size) noexcept {
  return static_cast<unsigned>(std::min<std::size_t>(size, std::numeric_limits<int>::max()));
}

// bzlib never writes through next_in, though its type says it could.
char* raw(Bytes bytes) noexcept {
  return const_cast<char*>(reinterpret_cast<const char*>(bytes.data()));
}

char* raw(MutableBytes bytes) noexcept { return reinterpret_cast<char*>(bytes.data()); }

struct Compressor {
  explicit Compressor(int level) : status(BZ2_bzCompressInit(&stream, level, 0, 0)) {
    if (status == BZ_MEM_ERROR) throw std::bad_alloc();
  }
  ~Compressor() { BZ2_bzCompressEnd(&stream); }
  Compressor(const Compressor&) = delete;
  Compressor& operator=(const Compressor&) = delete;

  bz_stream stream{};
  int status;
};

struct Decompressor {
  Decompressor() {
    if (BZ2_bzDecompressInit(&stream, 0, 0) != BZ_OK) throw std::bad_alloc();
  }
  ~Decompressor() { BZ2_bzDecompressEnd(&stream); }
  Decompressor(const Decompressor&) = delete;
  Decompressor& operator=(const Decompressor&) = delete;

  bz_stream stream{};
};

std::unexpected<Error> corrupt(std::string_view what, std::uint64_t offset_bytes) {
  return base::fail(ErrorCode::codec_corrupt, what, offset_bytes);
}

// The most that `size` bytes can become: the library's manual promises 1 % and 600 bytes.
std::size_t compressed_bytes_max(std::size_t size) noexcept { return size + size / 100 + 600; }

}  // namespace

Bytes Bzip2Codec::magic_bytes() const noexcept { return kMagic; }

Result<void> Bzip2Codec::compress(Bytes input, CompressionScratch&, ByteBuffer& output) const {
  Compressor compressor(level);
  bz_stream& stream = compressor.stream;
  const std::size_t start = output.size();
  output.resize(start + compressed_bytes_max(input.size()));
  MutableBytes room = output.span().subspan(start);
  int status = compressor.status == BZ_OK ? BZ_RUN_OK : compressor.status;
  while (status == BZ_RUN_OK || status == BZ_FINISH_OK) {
    const unsigned taken = piece(input.size()), offered = piece(room.size());
    stream.next_in = raw(input);
    stream.avail_in = taken;
    stream.next_out = raw(room);
    stream.avail_out = offered;
    status = BZ2_bzCompress(&stream, taken == input.size() ? BZ_FINISH : BZ_RUN);
    input = input.subspan(taken - stream.avail_in);
    room = room.subspan(offered - stream.avail_out);
  }
  output.resize(status == BZ_STREAM_END ? output.size() - room.size() : start);
  if (status == BZ_STREAM_END) return {};
  return base::fail(ErrorCode::codec_failed, "bzip2 refused to compress");
}

Result<void> Bzip2Codec::decompress(Bytes input, std::uint64_t output_bytes_max,
                                    CompressionScratch&, ByteBuffer& output) const {
  if (!begins_with(input, kMagic)) return corrupt("bzip2's magic number is missing", 0);
  Decompressor decompressor;
  bz_stream& stream = decompressor.stream;
  BoundedOutput bounded(output, output_bytes_max, input.size());
  std::size_t offset = 0;
  int status = BZ_OK;
  while (status == BZ_OK) {
    const MutableBytes room = bounded.room();
    const unsigned taken = piece(input.size() - offset), offered = piece(room.size());
    stream.next_in = raw(input.subspan(offset));
    stream.avail_in = taken;
    stream.next_out = raw(room);
    stream.avail_out = offered;
    status = BZ2_bzDecompress(&stream);
    offset += taken - stream.avail_in;
    CHUNKER_TRY_VOID(bounded.wrote(offered - stream.avail_out));
    if (status == BZ_OK && offset == input.size() && stream.avail_out != 0) {
      return corrupt("the bzip2 stream is cut off", offset);
    }
  }
  if (status == BZ_MEM_ERROR) throw std::bad_alloc();
  if (status != BZ_STREAM_END) return corrupt("the bzip2 stream does not decode", offset);
  if (offset != input.size()) return corrupt("bytes follow the bzip2 stream", offset);
  bounded.finish();
  return {};
}

Result<CompressionCodec> make_bzip2(int level) {
  return make_within(Bzip2Codec{level}, kLevelMin, kLevelMax);
}

}  // namespace chunker::codec
