#include "codec/lz4.hpp"

#include <lz4frame.h>

#include <new>

#include "base/try.hpp"
#include "base/wire.hpp"
#include "codec/bounded_output.hpp"
#include "codec/lz4_block.hpp"
#include "codec/magic.hpp"

namespace chunker::codec {
namespace {

constexpr auto kMagic = magic(0x04, 0x22, 0x4D, 0x18);
constexpr int kLevelMin = 0, kLevelMax = 12;

// No LZ4 block decodes to more than 255 times its size, so a larger claim is a lie.
constexpr std::uint64_t kRatioMax = 255;
// A block whose first bit is set is stored as it is.
constexpr std::uint32_t kStoredBlock = 1U << 31;

struct FreeContext {
  void operator()(LZ4F_dctx* old) const noexcept { LZ4F_freeDecompressionContext(old); }
};
using Context = std::unique_ptr<LZ4F_dctx, FreeContext>;

// A new one for each frame, which costs 0.1 us: LZ4F_resetDecompressionContext of LZ4 1.9 lets a size that
// one frame announced fail the next, and the buffers that would be worth keeping are only for foreign frames.
Context make_context() {
  LZ4F_dctx* made = nullptr;
  if (LZ4F_isError(LZ4F_createDecompressionContext(&made, LZ4F_VERSION))) throw std::bad_alloc();
  return Context(made);
}

struct Header {
  LZ4F_frameInfo_t info{};
  std::size_t bytes = 0;
};

std::unexpected<Error> corrupt(std::string_view what, std::uint64_t offset_bytes) {
  return base::fail(ErrorCode::codec_corrupt, what, offset_bytes);
}

Result<Header> read_header(Bytes input, LZ4F_dctx* context) {
  if (!begins_with(input, kMagic)) return corrupt("LZ4's magic number is missing", 0);
  Header header;
  header.bytes = input.size();
  const std::size_t status = LZ4F_getFrameInfo(context, &header.info, input.data(), &header.bytes);
  if (LZ4F_isError(status)) return corrupt("the LZ4 frame's header is damaged or cut off", 0);
  return header;
}

std::size_t block_bytes_max(const LZ4F_frameInfo_t& info) noexcept {
  return std::size_t{1} << (8 + 2 * static_cast<unsigned>(info.blockSizeID));
}

// The frames that we write: independent blocks, no checksums, size known. (A size of zero means that the
// frame does not say.)
bool decodes_in_place(const LZ4F_frameInfo_t& info) noexcept {
  return info.contentSize != 0 && info.blockMode == LZ4F_blockIndependent && info.dictID == 0 &&
         info.contentChecksumFlag == LZ4F_noContentChecksum &&
         info.blockChecksumFlag == LZ4F_noBlockChecksum;
}

// One block into the front of `room`: how many bytes it held.
Result<std::size_t> decode_block(Bytes block, bool stored, MutableBytes room,
                                 std::uint64_t offset_bytes) {
  if (!stored) {
    if (const auto written = decode_lz4_block(block, room)) return *written;
  } else if (block.size() <= room.size()) {
    std::ranges::copy(block, room.begin());
    return block.size();
  }
  return corrupt("an LZ4 block does not decode", offset_bytes);
}

// frame := header { u32le size, block } u32le 0. Blocks go straight to their place in `room`, where
// LZ4F_decompress would first decode each into a buffer of its own.
Result<void> decode_blocks(Bytes input, const Header& header, MutableBytes room) {
  base::WireReader reader(input.subspan(header.bytes));
  const std::size_t block_max = block_bytes_max(header.info);
  while (true) {
    const std::uint64_t offset = header.bytes + reader.offset();
    const auto size = reader.le<std::uint32_t>();
    if (!size) return corrupt("the LZ4 frame is cut off", input.size());
    if (*size == 0) break;
    const auto block = reader.bytes(*size & ~kStoredBlock);
    if (!block) return corrupt("the LZ4 frame is cut off", input.size());
    CHUNKER_TRY(const std::size_t written,
                decode_block(*block, (*size & kStoredBlock) != 0,
                             room.first(std::min(room.size(), block_max)), offset));
    room = room.subspan(written);
  }
  if (!reader.at_end())
    return corrupt("bytes follow the LZ4 frame", header.bytes + reader.offset());
  if (!room.empty()) return corrupt("the LZ4 frame holds less than it claims", input.size());
  return {};
}

Result<void> decode_in_place(Bytes input, const Header& header, ByteBuffer& output) {
  const std::size_t start = output.size();
  output.resize(start + static_cast<std::size_t>(header.info.contentSize));
  const Result<void> decoded = decode_blocks(input, header, output.span().subspan(start));
  if (!decoded) output.resize(start);
  return decoded;
}

// Any other frame: linked blocks, checksums, size unknown. The context has read the header.
Result<void> decode_stream(Bytes input, std::size_t offset, std::uint64_t output_bytes_max,
                           LZ4F_dctx* context, ByteBuffer& output) {
  BoundedOutput bounded(output, output_bytes_max, input.size());
  while (true) {
    const MutableBytes room = bounded.room();
    std::size_t written = room.size();
    std::size_t read = input.size() - offset;
    const std::size_t status =
        LZ4F_decompress(context, room.data(), &written, input.data() + offset, &read, nullptr);
    if (LZ4F_isError(status)) return corrupt("the LZ4 frame does not decode", offset);
    CHUNKER_TRY_VOID(bounded.wrote(written));
    offset += read;
    if (status == 0) break;
    if (written == 0 && offset == input.size()) return corrupt("the LZ4 frame is cut off", offset);
  }
  if (offset != input.size()) return corrupt("bytes follow the LZ4 frame", offset);
  bounded.finish();
  return {};
}

}  // namespace

Bytes Lz4Codec::magic_bytes() const noexcept { return kMagic; }

Result<void> Lz4Codec::compress(Bytes input, CompressionScratch&, ByteBuffer& output) const {
  LZ4F_preferences_t preferences{};
  preferences.compressionLevel = level;
  preferences.frameInfo.blockSizeID = LZ4F_max4MB;
  preferences.frameInfo.blockMode = LZ4F_blockIndependent;
  preferences.frameInfo.contentSize = input.size();
  const std::size_t start = output.size();
  const std::size_t bound = LZ4F_compressFrameBound(input.size(), &preferences);
  output.resize(start + bound);
  const std::size_t written =
      LZ4F_compressFrame(output.data() + start, bound, input.data(), input.size(), &preferences);
  output.resize(start + (LZ4F_isError(written) ? 0 : written));
  if (LZ4F_isError(written)) return base::fail(ErrorCode::codec_failed, "lz4 refused to compress");
  return {};
}

Result<void> Lz4Codec::decompress(Bytes input, std::uint64_t output_bytes_max, CompressionScratch&,
                                  ByteBuffer& output) const {
  const Context context = make_context();
  CHUNKER_TRY(const Header header, read_header(input, context.get()));
  if (header.info.contentSize > output_bytes_max) {
    return base::fail(ErrorCode::decompressed_too_large,
                      "the LZ4 frame holds more than the limit allows");
  }
  if (header.info.contentSize > kRatioMax * input.size()) {
    return corrupt("the LZ4 frame claims more than its blocks can hold", 0);
  }
  if (decodes_in_place(header.info)) return decode_in_place(input, header, output);
  return decode_stream(input, header.bytes, output_bytes_max, context.get(), output);
}

Result<CompressionCodec> make_lz4(int level) {
  return make_within(Lz4Codec{level}, kLevelMin, kLevelMax);
}

}  // namespace chunker::codec
