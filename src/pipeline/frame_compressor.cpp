#include "pipeline/frame_compressor.hpp"

#include "base/try.hpp"
#include "codec/x86_filter.hpp"

namespace chunker::pipeline {
namespace {

/// A frame that compresses to more than this share is stored as it is: reading it back is then free
/// (R15.6).
constexpr double kKeepCompressedBelow = 0.95;

bool worth_keeping(std::uint64_t compressed_bytes, std::uint64_t raw_bytes) {
  return static_cast<double>(compressed_bytes) <
         kKeepCompressedBelow * static_cast<double>(raw_bytes);
}

}  // namespace

Result<void> FrameCompressor::compress(Bytes raw, store::Frame& frame) {
  const bool filtered = x86_codec_.id() != codec_.id() && codec::looks_like_x86(raw);
  const CompressionCodec& chosen = filtered ? x86_codec_ : codec_;
  frame.record.codec = chosen.id();
  CHUNKER_TRY_VOID(chosen.compress(raw, scratch_, frame.payload));
  if (frame.record.codec != CodecId::none && !worth_keeping(frame.payload.size(), raw.size())) {
    frame.record.codec = CodecId::none;
    frame.payload.clear();
    frame.payload.append(raw);
  }
  return {};
}

}  // namespace chunker::pipeline
