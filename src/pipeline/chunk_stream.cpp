#include "chunker/chunk_stream.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <limits>
#include <optional>
#include <utility>
#include <variant>

#include "base/catching.hpp"
#include "base/log.hpp"
#include "base/try.hpp"
#include "hash/blake3.hpp"
#include "pipeline/input.hpp"
#include "refs/references.hpp"
#include "resource/thread_cpu.hpp"

namespace chunker {
namespace {

/// So much is read, cut or hashed between two looks at the clock: 20 us of SHA-256 with the processor's help, 150
/// without, and enough for BLAKE3's lanes.
constexpr std::size_t kStepBytes = 32 << 10;
/// The same where nobody waits.
constexpr std::size_t kReadBytes = 1 << 20;

/// A hash that can be left alone in the middle of a chunk. A caller's own cannot: it gets the chunk in the end.
class SteppedHash {
 public:
  explicit SteppedHash(const HashAlgorithm& hash) : hash_(hash) {
    if (hash.name() == "sha256") stream_.emplace<Sha256Stream>();
    if (hash.name() == "blake3") stream_.emplace<hash::Blake3Stream>();
  }

  void update(Bytes piece) {
    std::visit(
        [piece](auto& stream) {
          if constexpr (requires { stream.update(piece); }) stream.update(piece);
        },
        stream_);
  }
  Digest finish(Bytes whole) {
    return std::visit(
        [&](auto& stream) {
          if constexpr (requires { stream.finish(); }) {
            return stream.finish();
          } else {
            return hash_.hash(whole);
          }
        },
        stream_);
  }

 private:
  HashAlgorithm hash_;
  std::variant<std::monostate, Sha256Stream, hash::Blake3Stream> stream_;
};

}  // namespace

struct ChunkStream::State {
  State(ByteSource from, std::shared_ptr<const ResolvedOptions> chunking,
        std::optional<refs::ReferenceNormalizer> taker, StreamOptions with)
      : source(std::move(from)),
        options(std::move(with)),
        chunker(std::move(chunking)),
        normalizer(std::move(taker)),
        hash(options.hash),
        read_bytes(options.cooperative ? kStepBytes : kReadBytes),
        hash_bytes(options.cooperative ? kStepBytes : std::numeric_limits<std::size_t>::max()) {}

  Result<void> make_buffer();

  Result<StreamStep> advance();
  Result<void> read_some();
  std::optional<StreamedChunk> hash_some();
  void drop(std::size_t count);

  ByteSource source;
  StreamOptions options;
  NarAwareChunker chunker;
  std::optional<refs::ReferenceNormalizer> normalizer;
  SteppedHash hash;
  const std::size_t read_bytes;
  const std::size_t hash_bytes;

  MemoryBudget::Reservation reserved;  ///< For the buffer.
  ByteBuffer buffer;
  std::size_t begin = 0;             ///< Before this lie chunks that the caller had.
  std::size_t fed = 0;               ///< Behind this lies what the chunker has not seen.
  bool ended = false;                ///< Nothing is left to be read.
  std::vector<ChunkExtent> certain;  ///< Chunks whose ends are known.
  std::size_t given_count = 0;       ///< Of these.
  std::size_t hashed = 0;            ///< Bytes of the next one.
  std::optional<Error> dead;
};

/// All of it now: growing would copy a chunk.
Result<void> ChunkStream::State::make_buffer() {
  if (options.memory_budget == nullptr) options.memory_budget = std::make_shared<MemoryBudget>();
  MemoryBudget& budget = *options.memory_budget;
  const std::uint64_t bytes = chunker.bytes_kept_max() + 2 * read_bytes;
  CHUNKER_TRY_VOID(budget.check_buffer(bytes));
  CHUNKER_TRY(reserved, budget.reserve(static_cast<std::size_t>(bytes)));
  buffer = budget.allocate(static_cast<std::size_t>(bytes));
  return {};
}

/// Half of the time is for what is begun when the other half is over.
Result<StreamStep> ChunkStream::State::advance() {
  const auto half_time = std::chrono::microseconds(options.max_iteration_time_us) / 2;
  const auto pause_at =
      options.cooperative ? resource::thread_cpu_time() + half_time : std::chrono::nanoseconds(0);
  for (;;) {
    if (given_count != certain.size()) {
      if (auto chunk = hash_some()) return StreamStep{StreamStep::Kind::chunk, *chunk};
    } else if (ended) {
      return StreamStep{};
    } else {
      CHUNKER_TRY_VOID(read_some());
    }
    if (options.cooperative && resource::thread_cpu_time() >= pause_at) {
      return StreamStep{StreamStep::Kind::not_yet, {}};
    }
  }
}

std::optional<StreamedChunk> ChunkStream::State::hash_some() {
  const ChunkExtent& extent = certain[given_count];
  const Bytes whole = buffer.view().subspan(begin, static_cast<std::size_t>(extent.size_bytes));
  const Bytes piece = whole.subspan(hashed, std::min(hash_bytes, whole.size() - hashed));
  hash.update(piece);
  hashed += piece.size();
  if (hashed != whole.size()) return std::nullopt;
  hashed = 0;
  begin += whole.size();
  ++given_count;
  return StreamedChunk{extent, hash.finish(whole), whole};
}

Result<void> ChunkStream::State::read_some() {
  if (options.stop.stop_requested()) {
    return base::fail(ErrorCode::cancelled, "stopped on request");
  }
  certain.clear();
  given_count = 0;
  drop(std::exchange(begin, 0));
  const std::size_t old_size = buffer.size();
  buffer.resize(old_size + read_bytes);
  CHUNKER_TRY(const std::size_t count, source(buffer.span().subspan(old_size)));
  if (count > read_bytes) {
    return base::fail(ErrorCode::invalid_argument, "the source gave more than it was asked for");
  }
  buffer.resize(old_size + count);
  ended = count < read_bytes;
  const MutableBytes fresh = buffer.span().subspan(fed);
  const std::size_t known = normalizer ? normalizer->normalize(fresh, ended) : fresh.size();
  CHUNKER_TRY_VOID(chunker.feed(fresh.first(known), certain));
  fed += known;
  return ended ? chunker.finish(certain) : Result<void>();
}

void ChunkStream::State::drop(std::size_t count) {
  if (count == 0) return;
  std::memmove(buffer.data(), buffer.data() + count, buffer.size() - count);
  buffer.resize(buffer.size() - count);
  fed -= count;
}

Result<ChunkStream> ChunkStream::over(ByteSource source, const ChunkingOptions& chunking,
                                      StreamOptions options) {
  return base::catching([&]() -> Result<ChunkStream> {
    CHUNKER_TRY(auto resolved, chunking.resolve());
    CHUNKER_TRY(auto normalizer, refs::ReferenceNormalizer::make_if_any(options.store_prefix));
    base::warn_if_deprecated(options.hash.info());
    auto state = std::make_unique<State>(std::move(source), std::move(resolved),
                                         std::move(normalizer), std::move(options));
    CHUNKER_TRY_VOID(state->make_buffer());
    return ChunkStream(std::move(state));
  });
}

Result<ChunkStream> ChunkStream::open(const std::filesystem::path& path,
                                      const ChunkingOptions& chunking, StreamOptions options) {
  return base::catching([&]() -> Result<ChunkStream> {
    CHUNKER_TRY(auto opened,
                pipeline::open_input({IngestSource::Kind::nar_file, path, -1, {}}, options.stop));
    // A std::function can be copied, and so must what it owns.
    const std::shared_ptr<pipeline::Input> input = std::move(opened);
    return over([input](MutableBytes out) { return input->read(out); }, chunking,
                std::move(options));
  });
}

ChunkStream::ChunkStream(std::unique_ptr<State> state) noexcept : state_(std::move(state)) {}
ChunkStream::ChunkStream(ChunkStream&&) noexcept = default;
ChunkStream& ChunkStream::operator=(ChunkStream&&) noexcept = default;
ChunkStream::~ChunkStream() = default;

Result<StreamStep> ChunkStream::next() {
  State& state = *state_;
  if (state.dead) return std::unexpected(*state.dead);
  auto step = base::catching([&] { return state.advance(); });
  if (!step) state.dead = step.error();
  return step;
}

bool ChunkStream::is_nar() const noexcept { return state_->chunker.is_nar(); }

std::vector<NarEntry> ChunkStream::take_entries() {
  return std::exchange(state_->chunker.entries(), {});
}

References ChunkStream::take_references() {
  const bool is_known = state_->normalizer && state_->ended;
  return is_known ? std::move(*state_->normalizer).take() : References{};
}

}  // namespace chunker
