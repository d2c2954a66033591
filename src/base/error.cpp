#include "chunker/error.hpp"

namespace chunker {

std::string_view name(ErrorCode code) noexcept {
  switch (code) {
#define CHUNKER_NAME(enumerator) \
  case ErrorCode::enumerator:    \
    return #enumerator;
    CHUNKER_NAME(invalid_argument)
    CHUNKER_NAME(unsupported)
    CHUNKER_NAME(internal)
    CHUNKER_NAME(nar_bad_magic)
    CHUNKER_NAME(nar_bad_padding)
    CHUNKER_NAME(nar_truncated)
    CHUNKER_NAME(nar_trailing_bytes)
    CHUNKER_NAME(nar_unexpected_token)
    CHUNKER_NAME(nar_bad_name)
    CHUNKER_NAME(nar_names_unsorted)
    CHUNKER_NAME(nar_too_deep)
    CHUNKER_NAME(nar_bad_target)
    CHUNKER_NAME(nar_bad_length)
    CHUNKER_NAME(nar_unsupported_file)
    CHUNKER_NAME(nar_unsafe_target)
    CHUNKER_NAME(codec_unavailable)
    CHUNKER_NAME(codec_failed)
    CHUNKER_NAME(codec_corrupt)
    CHUNKER_NAME(decompressed_too_large)
    CHUNKER_NAME(dictionary_unavailable)
    CHUNKER_NAME(store_not_found)
    CHUNKER_NAME(store_corrupt)
    CHUNKER_NAME(digest_mismatch)
    CHUNKER_NAME(store_locked)
    CHUNKER_NAME(store_version)
    CHUNKER_NAME(store_ambiguous_name)
    CHUNKER_NAME(store_chunk_missing)
    CHUNKER_NAME(io_unavailable)
    CHUNKER_NAME(io_not_found)
    CHUNKER_NAME(io_permission)
    CHUNKER_NAME(io_no_space)
    CHUNKER_NAME(io_failed)
    CHUNKER_NAME(io_changed)
    CHUNKER_NAME(io_too_many_files)
    CHUNKER_NAME(cancelled)
    CHUNKER_NAME(memory_limit_exceeded)
    CHUNKER_NAME(cpu_time_limit_exceeded)
    CHUNKER_NAME(key_invalid)
    CHUNKER_NAME(signature_invalid)
#undef CHUNKER_NAME
  }
  return "unknown";
}

Retry retry(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::store_locked:
    case ErrorCode::io_unavailable:
    case ErrorCode::io_no_space:
    case ErrorCode::io_changed:
    case ErrorCode::io_too_many_files:
    case ErrorCode::memory_limit_exceeded:
    case ErrorCode::cpu_time_limit_exceeded:
      return Retry::later;
    case ErrorCode::cancelled:
      return Retry::caller_stopped;
    case ErrorCode::invalid_argument:
    case ErrorCode::unsupported:
    case ErrorCode::internal:
    case ErrorCode::nar_bad_magic:
    case ErrorCode::nar_bad_padding:
    case ErrorCode::nar_truncated:
    case ErrorCode::nar_trailing_bytes:
    case ErrorCode::nar_unexpected_token:
    case ErrorCode::nar_bad_name:
    case ErrorCode::nar_names_unsorted:
    case ErrorCode::nar_too_deep:
    case ErrorCode::nar_bad_target:
    case ErrorCode::nar_bad_length:
    case ErrorCode::nar_unsupported_file:
    case ErrorCode::nar_unsafe_target:
    case ErrorCode::codec_unavailable:
    case ErrorCode::codec_failed:
    case ErrorCode::codec_corrupt:
    case ErrorCode::decompressed_too_large:
    case ErrorCode::dictionary_unavailable:
    case ErrorCode::store_not_found:
    case ErrorCode::store_corrupt:
    case ErrorCode::digest_mismatch:
    case ErrorCode::store_version:
    case ErrorCode::store_ambiguous_name:
    case ErrorCode::store_chunk_missing:
    case ErrorCode::io_not_found:
    case ErrorCode::io_permission:
    case ErrorCode::io_failed:
    case ErrorCode::key_invalid:
    case ErrorCode::signature_invalid:
      return Retry::never;
  }
  return Retry::never;
}

std::string_view name(Retry retry) noexcept {
  switch (retry) {
    case Retry::never:
      return "never";
    case Retry::later:
      return "later";
    case Retry::caller_stopped:
      return "caller_stopped";
  }
  return "never";
}

Error Error::within(std::string_view outer) && {
  if (context.empty()) {
    context = outer;
  } else if (!outer.empty()) {
    context.insert(0, ": ").insert(0, outer);
  }
  return std::move(*this);
}

std::string describe(const Error& error) {
  std::string line;
  if (!error.context.empty()) line.append(error.context).append(": ");
  line.append(error.what);
  if (error.offset_bytes != Error::kNoOffset) {
    line.append(" at byte ").append(std::to_string(error.offset_bytes));
  }
  line.append(" (").append(name(error.code)).append("; retry: ");
  return line.append(name(retry(error.code))).append(")");
}

}  // namespace chunker
