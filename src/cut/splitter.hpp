#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "chunker/bytes.hpp"
#include "chunker/chunk.hpp"
#include "chunker/recipe.hpp"
#include "cut/contents.hpp"
#include "cut/cutter.hpp"

namespace chunker::cut {

/// How far behind the end of a chunk a stream may have to be read before the chunk is certain, in bytes
/// beyond max_bytes behind its start.
inline constexpr std::uint64_t kLookaheadBytes = kWordBytes;

/// Splits one stream into chunks: a cutter finds the natural cuts, the splitter decides where they are
/// made (doc/format/recipe.md). It knows of a NAR only what it is told: where files' contents lie.
/// Owns:    its cutter and, in the biased mode, up to avg_bytes of input; input is borrowed.
/// Threads: movable.
/// Errors:  none; std::bad_alloc.
/// Cost:    that of the cutter.
class Splitter {
 public:
  virtual ~Splitter() = default;

  /// Tells where the next file's contents lie: in order, and before the piece that holds their first byte.
  void add(Contents contents) { queue_.push_back(contents); }
  /// Takes the next bytes, and appends the chunks that are certain now.
  virtual void feed(Bytes piece, std::vector<ChunkExtent>& chunks) = 0;
  /// The stream ends here: appends the rest.
  virtual void finish(std::vector<ChunkExtent>& chunks) = 0;

 protected:
  ContentsQueue queue_;
};

/// For a stream that is no NAR: the natural cuts, which move to landmarks as in the contents of one file.
[[nodiscard]] std::unique_ptr<Splitter> make_plain_splitter(const Recipe& recipe, AnyCutter cutter);

/// For a NAR: by the recipe's NAR mode, with the header chunk if the recipe wants one.
[[nodiscard]] std::unique_ptr<Splitter> make_nar_splitter(const Recipe& recipe, AnyCutter cutter);

}  // namespace chunker::cut
