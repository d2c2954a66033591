#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "cut/guided_cutter.hpp"
#include "cut/landmarks.hpp"
#include "cut/splitter.hpp"
#include "cut/tail.hpp"

// The kinds of splitter. Each takes over at `offset_bytes` of its stream. All are written the same way:
// [start_, at_) is the open chunk as far as it was scanned. `landmarks` are null if the recipe prefers none.
namespace chunker::cut {

/// NarMode::off, and streams that are no NAR: the natural cuts. The last word of a NAR may be padding but
/// for its first byte, so a last chunk of less than a word is not made: it joins the chunk before, or
/// takes the rest of the word from it where that is full.
class BlindSplitter final : public Splitter {
 public:
  BlindSplitter(AnyCutter cutter, Landmarks* landmarks, std::uint64_t offset_bytes,
                std::uint64_t max_bytes, std::uint64_t last_bytes_min);
  void feed(Bytes piece, std::vector<ChunkExtent>& chunks) override;
  void finish(std::vector<ChunkExtent>& chunks) override;

 private:
  GuidedCutter cutter_;
  std::uint64_t max_bytes_;
  std::uint64_t last_bytes_min_;
  std::uint64_t start_;
  std::uint64_t at_;
  std::optional<ChunkExtent> held_;  // until it is certain that the last chunk is not behind it
};

/// NarMode::aligned: contents of files of at least min_bytes begin and end a chunk, and the cutter starts
/// afresh at both. So the chunks of such a file depend on its contents alone.
class AlignedSplitter final : public Splitter {
 public:
  AlignedSplitter(const Recipe& recipe, AnyCutter cutter, Landmarks* landmarks,
                  std::uint64_t offset_bytes);
  void feed(Bytes piece, std::vector<ChunkExtent>& chunks) override;
  void finish(std::vector<ChunkExtent>& chunks) override;

 private:
  void find_boundary() noexcept;
  void at_boundary(std::vector<ChunkExtent>& chunks);
  void at_natural_cut(std::uint64_t cut, std::vector<ChunkExtent>& chunks);
  void cut_at(std::uint64_t offset, std::vector<ChunkExtent>& chunks);

  GuidedCutter cutter_;
  std::uint64_t min_bytes_;
  std::uint64_t max_bytes_;
  std::uint64_t start_;
  std::uint64_t at_;
  bool inside_ = false;  // in the contents of a file that is cut out: the front of the queue
  std::optional<std::uint64_t> next_;  // the next place where that changes, if it is known
  std::optional<std::uint64_t> due_;   // a cut that lies ahead
};

/// NarMode::biased: of all boundaries within avg_bytes / 4 of a natural cut the nearest wins, the earlier
/// of two; the cutter starts afresh where the cut was made. Boundaries are where contents begin and where
/// their padding ends. Where there is none, landmarks have their say.
class BiasedSplitter final : public Splitter {
 public:
  BiasedSplitter(const Recipe& recipe, AnyCutter cutter, Landmarks* landmarks,
                 std::uint64_t offset_bytes);
  void feed(Bytes piece, std::vector<ChunkExtent>& chunks) override;
  void finish(std::vector<ChunkExtent>& chunks) override;

 private:
  void split(Bytes piece, bool last, std::vector<ChunkExtent>& chunks);
  [[nodiscard]] Bytes rest(Bytes piece) const noexcept;
  [[nodiscard]] std::uint64_t highest(std::uint64_t natural) const noexcept;
  [[nodiscard]] std::uint64_t decide(std::uint64_t natural) const;

  AnyCutter cutter_;
  Landmarks* landmarks_;
  std::uint64_t reach_;
  std::uint64_t max_bytes_;
  std::uint64_t start_;
  std::uint64_t at_;
  std::uint64_t seen_;                    // the stream so far
  std::optional<std::uint64_t> natural_;  // a natural cut whose surroundings are not yet known
  Tail tail_;  // what may be scanned again, from before the current piece
};

/// The header chunk (R1.2): everything up to the first file's contents is one chunk, as far as max_bytes
/// allows; the splitter of the NAR mode takes over there.
class HeaderSplitter final : public Splitter {
 public:
  HeaderSplitter(const Recipe& recipe, AnyCutter cutter, Landmarks* landmarks);
  void feed(Bytes piece, std::vector<ChunkExtent>& chunks) override;
  void finish(std::vector<ChunkExtent>& chunks) override;

 private:
  Recipe recipe_;
  AnyCutter cutter_;
  Landmarks* landmarks_;
  std::uint64_t start_ = 0;
  std::uint64_t seen_ = 0;
  std::unique_ptr<Splitter> behind_;
};

/// Lets landmarks go ahead of the splitter that asks them.
class GuidedSplitter final : public Splitter {
 public:
  GuidedSplitter(std::unique_ptr<Landmarks> landmarks, std::unique_ptr<Splitter> behind) noexcept
      : landmarks_(std::move(landmarks)), behind_(std::move(behind)) {}
  void feed(Bytes piece, std::vector<ChunkExtent>& chunks) override;
  void finish(std::vector<ChunkExtent>& chunks) override;

 private:
  // Files are described for all of a step at once; this bounds how many.
  static constexpr std::size_t kStepBytes = std::size_t{1} << 20;

  std::unique_ptr<Landmarks> landmarks_;
  std::unique_ptr<Splitter> behind_;
};

}  // namespace chunker::cut
