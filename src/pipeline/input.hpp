#pragma once

#include <memory>
#include <stop_token>

#include "chunker/bytes.hpp"
#include "chunker/error.hpp"
#include "chunker/ingest.hpp"

namespace chunker::pipeline {

/// The bytes of one source, in order.
/// Threads: movable.
class Input {
 public:
  virtual ~Input() = default;
  /// Fills `out` from the front; a smaller count only at the end, 0 behind it. Errors: io_*, nar_*.
  [[nodiscard]] virtual Result<std::size_t> read(MutableBytes out) = 0;
};

/// Opens a source: a file, a descriptor, or a file tree whose NAR a thread of its own makes meanwhile.
/// Waiting for the writer of a pipe ends with `cancelled` when `stop` is requested.
/// Errors: io_*, nar_bad_magic for a directory as a file, cancelled, memory_limit_exceeded.
[[nodiscard]] Result<std::unique_ptr<Input>> open_input(const IngestSource& source,
                                                        std::stop_token stop = {});

/// The most descriptors that this source takes while it is open.
[[nodiscard]] std::size_t descriptors_of(const IngestSource& source) noexcept;

/// What the source is called in a store, if that is known before its bytes are.
[[nodiscard]] std::string name_of(const IngestSource& source);

/// What to call a source in messages: its path, else its name.
[[nodiscard]] std::string label(const IngestSource& source);

}  // namespace chunker::pipeline
