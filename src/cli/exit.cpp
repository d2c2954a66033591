#include "cli/exit.hpp"

namespace chunker::cli {

Exit exit_of(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::invalid_argument:
      return Exit::usage;
    case ErrorCode::store_locked:
    case ErrorCode::io_unavailable:
    case ErrorCode::io_no_space:
    case ErrorCode::io_changed:
    case ErrorCode::io_too_many_files:
    case ErrorCode::memory_limit_exceeded:
    case ErrorCode::cpu_time_limit_exceeded:
      return Exit::later;
    case ErrorCode::cancelled:
      return Exit::interrupted;
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
      return Exit::failure;
  }
  return Exit::failure;
}

Exit worse(Exit a, Exit b) noexcept {
  const auto rank = [](Exit exit) {
    switch (exit) {
      case Exit::ok:
        return 0;
      case Exit::later:
        return 1;
      case Exit::failure:
        return 2;
      case Exit::usage:
        return 3;
      case Exit::hung_up:
      case Exit::interrupted:
      case Exit::broken_pipe:
      case Exit::terminated:
        return 4;
    }
    return 0;
  };
  return rank(a) < rank(b) ? b : a;
}

std::string_view cure(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::invalid_argument:
      return "Correct what is named here; --help shows what is allowed.";
    case ErrorCode::unsupported:
      return "This chunker cannot do that; a newer one may.";
    case ErrorCode::internal:
      return "This is a fault in chunker or in a library under it: please report it with this "
             "message.";
    case ErrorCode::nar_bad_magic:
      return "This is no NAR. Decompress a .nar.xz or .nar.zst first; for a file tree say --tree.";
    case ErrorCode::nar_bad_padding:
    case ErrorCode::nar_unexpected_token:
    case ErrorCode::nar_bad_length:
      return "The archive is damaged, or Nix did not make it: fetch or dump it again.";
    case ErrorCode::nar_truncated:
      return "The archive ends too early: fetch or dump it again.";
    case ErrorCode::nar_trailing_bytes:
      return "Something follows the archive: fetch or dump it again.";
    case ErrorCode::nar_bad_name:
    case ErrorCode::nar_names_unsorted:
    case ErrorCode::nar_bad_target:
      return "Nix writes no such archive; mind where it came from, and make it anew.";
    case ErrorCode::nar_too_deep:
      return "Paths in a NAR have at most 4095 bytes (Nix writes no longer ones): take the "
             "deepest folders out of the tree.";
    case ErrorCode::nar_unsupported_file:
      return "A NAR holds files, directories and symlinks only: take anything else out of the "
             "tree.";
    case ErrorCode::nar_unsafe_target:
      return "Choose a path that does not exist yet, or move away what is there.";
    case ErrorCode::codec_unavailable:
      return "This chunker was built without that codec: use one that has it.";
    case ErrorCode::codec_failed:
      return "Choose another --strategy, and please report it with this message.";
    case ErrorCode::decompressed_too_large:
      return "More came out than was announced; mind where these bytes came from.";
    case ErrorCode::dictionary_unavailable:
      return "These bytes were compressed with a dictionary: bring it along.";
    case ErrorCode::store_not_found:
      return "`chunker list` shows what a store has; `chunker ingest` makes a store where none is.";
    case ErrorCode::codec_corrupt:
    case ErrorCode::store_corrupt:
    case ErrorCode::digest_mismatch:
    case ErrorCode::store_chunk_missing:
      return "Stored bytes are damaged. `chunker verify --content --repair` sets what is damaged "
             "aside, saves the rest and names the NARs to ingest again.";
    case ErrorCode::store_locked:
      return "Another process is changing this store: wait until it is done, then run this again.";
    case ErrorCode::store_version:
      return "Another version of chunker made this store: use that one, or a newer one.";
    case ErrorCode::store_ambiguous_name:
      return "Give more digits of the hash, or the name.";
    case ErrorCode::io_unavailable:
      return "Run this again when the device or server is back.";
    case ErrorCode::io_not_found:
      return "Check the path.";
    case ErrorCode::io_permission:
      return "Run this as a user who may, or change the permissions.";
    case ErrorCode::io_no_space:
      return "Make room, then run this again; what was acknowledged stays. `chunker gc` frees what "
             "removed NARs held in a store, if there is some room for copies first.";
    case ErrorCode::io_failed:
      return "The system could not read or write there: look into its log and at the device.";
    case ErrorCode::io_changed:
      return "Run this again when nothing writes to the input.";
    case ErrorCode::io_too_many_files:
      return "Raise the limit (ulimit -n), then run this again.";
    case ErrorCode::cancelled:
      return "Run this again to go on; what was acknowledged stays.";
    case ErrorCode::memory_limit_exceeded:
      return "Run this again with fewer --threads, more memory or higher limits (ulimit -u, ulimit "
             "-v).";
    case ErrorCode::cpu_time_limit_exceeded:
      return "What was finished stays. Name what is left to go on, or use `chunker ingest "
             "--checkpoint FILE`.";
    case ErrorCode::key_invalid:
      return "A key is NAME:BASE64, as `chunker key generate` writes it.";
    case ErrorCode::signature_invalid:
      return "Another key made the signature, or it is for other contents: do not trust them.";
  }
  return "Please report this message.";
}

std::string_view cure(const Error& error) noexcept {
  // Nothing but the index is hurt, which is made of the packs: moving packs away would do harm.
  if (error.what.contains("rebuild-index")) {
    return "Run `chunker rebuild-index`: it makes the index anew from the packs.";
  }
  if (error.what.starts_with("ingest this NAR again")) {
    return "The rest is saved: once all such NARs are ingested again, the store is whole.";
  }
  if (error.what.ends_with("File name too long")) {
    return "No file can have so long a name here: give a shorter one. What has such a name in a "
           "store comes back by `chunker restore NAME -o FILE`; a tree with such names in it comes "
           "back as an archive, without --tree.";
  }
  // Not even verify can open the store then.
  if (error.what.contains("chunker.store") && error.code == ErrorCode::store_corrupt) {
    return "This file only says how the rest is to be read, and the rest may be whole: put it back "
           "from a backup, or write its four lines again (doc/format/store.md).";
  }
  return cure(error.code);
}

}  // namespace chunker::cli
