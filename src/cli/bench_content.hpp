#pragma once

#include <cstdint>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "chunker/bytes.hpp"
#include "chunker/error.hpp"

// What is measured: the user's files, or something that is the same on every machine.
namespace chunker::cli {

/// Text, tables of numbers and noise, in turns, `piece_bytes` each.
[[nodiscard]] std::vector<ByteBuffer> made_up_pieces(std::size_t count, std::size_t piece_bytes);

/// A NAR of made-up files of 1 KiB to 4 MiB, about `bytes` in all.
/// Errors: cancelled.
[[nodiscard]] Result<ByteBuffer> made_up_nar(std::uint64_t bytes, const std::stop_token& stop);

/// NARs in memory.
struct BenchContent {
  std::vector<ByteBuffer> nars;
  std::vector<std::string> names;  ///< One for each; files of users are called as they were given.
  bool is_made_up = false;
  std::uint64_t bytes = 0;
  std::size_t left_out_count = 0;  ///< Files that did not fit.
};

/// The files, each whole, as long as all together fit into `bytes_max`; without files a made-up NAR of that size.
/// Errors: io_*; invalid_argument for a file that is no NAR, or if none fits; cancelled, between files.
[[nodiscard]] Result<BenchContent> bench_content(std::span<const std::string> files,
                                                 std::uint64_t bytes_max,
                                                 const std::stop_token& stop);

}  // namespace chunker::cli
