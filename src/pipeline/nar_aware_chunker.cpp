#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <utility>

#include "base/try.hpp"
#include "chunker/chunking.hpp"
#include "cut/candidates.hpp"
#include "cut/splitter.hpp"
#include "pipeline/resolved_options.hpp"

namespace chunker {

// The parser goes ahead over each piece and tells where contents lie; then the splitter cuts the piece.
struct NarAwareChunker::State final : NarVisitor {
  explicit State(std::shared_ptr<const ResolvedOptions> resolved) : options(std::move(resolved)) {}

  [[nodiscard]] Bytes head_view() const noexcept { return Bytes(head).first(head_bytes); }

  Result<void> on_entry(const NarEntry& entry, std::string_view) override {
    // A few bytes of archive can repeat a path of 4 KiB: a manifest would refuse it later, memory is now.
    path_bytes += entry.path.size();
    if (path_bytes > kPathBytesFree + kPathBytesPerByte * entry.offset_bytes) {
      return base::fail(ErrorCode::nar_bad_name, "the archive's paths come to too many bytes",
                        entry.offset_bytes);
    }
    entries.push_back(entry);
    if (entry.type == NarEntryType::regular && entry.size_bytes != 0) {
      splitter->add({entry.offset_bytes, entry.size_bytes});
    }
    return {};
  }

  // Collects the first bytes from `piece` until they tell what the stream is.
  void look_for_magic(Bytes& piece) {
    const std::size_t taken = std::min(piece.size(), head.size() - head_bytes);
    std::ranges::copy(piece.first(taken), head.begin() + static_cast<std::ptrdiff_t>(head_bytes));
    head_bytes += taken;
    piece = piece.subspan(taken);
  }

  void begin() {
    cut::AnyCutter cutter = options->parts().cutter;
    cutter.follow(candidates);
    is_nar = text_of(head_view()) == kNarMagic;
    if (is_nar) parser.emplace();
    splitter = is_nar ? cut::make_nar_splitter(options->recipe(), std::move(cutter))
                      : cut::make_plain_splitter(options->recipe(), std::move(cutter));
  }

  Result<void> split(Bytes piece, std::vector<ChunkExtent>& chunks) {
    if (parser) CHUNKER_TRY_VOID(parser->feed(piece, *this));
    splitter->feed(piece, chunks);
    return {};
  }

  // All paths written out, against the archive so far: real ones come to less than a third of it.
  static constexpr std::uint64_t kPathBytesFree = std::uint64_t{16} << 20;
  static constexpr std::uint64_t kPathBytesPerByte = 2;

  std::uint64_t path_bytes = 0;
  std::shared_ptr<const ResolvedOptions> options;
  std::array<std::byte, kNarMagic.size()> head{};
  std::size_t head_bytes = 0;
  bool is_nar = false;
  std::optional<NarParser> parser;
  cut::Candidates candidates;  // of the piece that is being split; the cutter looks at them
  std::unique_ptr<cut::Splitter> splitter;
  std::vector<NarEntry> entries;
};

NarAwareChunker::NarAwareChunker(std::shared_ptr<const ResolvedOptions> options)
    : state_(std::make_unique<State>(std::move(options))) {}
NarAwareChunker::NarAwareChunker(NarAwareChunker&&) noexcept = default;
NarAwareChunker& NarAwareChunker::operator=(NarAwareChunker&&) noexcept = default;
NarAwareChunker::~NarAwareChunker() = default;

Result<void> NarAwareChunker::feed(Bytes piece, std::vector<ChunkExtent>& chunks) {
  State& state = *state_;
  if (!state.splitter) {
    state.look_for_magic(piece);
    if (state.head_bytes != state.head.size()) return {};
    state.begin();
    CHUNKER_TRY_VOID(state.split(state.head_view(), chunks));
  }
  return state.split(piece, chunks);
}

Result<void> NarAwareChunker::feed(Bytes piece, std::vector<ChunkExtent>& chunks,
                                   cut::Candidates& candidates) {
  std::swap(state_->candidates, candidates);
  auto fed = feed(piece, chunks);
  std::swap(state_->candidates, candidates);
  return fed;
}

Result<void> NarAwareChunker::finish(std::vector<ChunkExtent>& chunks) {
  State& state = *state_;
  if (!state.splitter) {
    state.begin();
    CHUNKER_TRY_VOID(state.split(state.head_view(), chunks));
  }
  if (state.parser) CHUNKER_TRY_VOID(state.parser->finish());
  state.splitter->finish(chunks);
  return {};
}

bool NarAwareChunker::is_nar() const noexcept { return state_->is_nar; }

std::vector<NarEntry>& NarAwareChunker::entries() noexcept { return state_->entries; }

std::uint64_t NarAwareChunker::bytes_kept_max() const noexcept {
  return state_->options->recipe().max_bytes + cut::kLookaheadBytes;
}

}  // namespace chunker
