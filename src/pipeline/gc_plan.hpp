#pragma once

#include <string>
#include <unordered_set>
#include <vector>

#include "chunker/digest.hpp"
#include "chunker/error.hpp"
#include "chunker/maintain.hpp"
#include "store/parts.hpp"

// Which records of a store are alive, and which packs are worth rewriting.
namespace chunker::pipeline {

/// Knows what named NARs need, and what the deltas among that need.
/// Threads: confined.
/// Errors:  store_*, io_*.
/// Cost:    about 60 bytes of memory per living chunk.
class Liveness {
 public:
  /// Reads the manifest of every named NAR and the directory of every pack.
  [[nodiscard]] static Result<Liveness> mark(Store::Parts& parts);

  /// Per chunk of the frame at `payload_offset` of pack `number`: needed, and this is where the index finds it.
  [[nodiscard]] Result<std::vector<bool>> chunks(const store::FrameRecord& frame,
                                                 store::PackNumber number,
                                                 std::uint64_t payload_offset) const;
  [[nodiscard]] Result<bool> manifest(const store::ManifestRecord& manifest,
                                      store::PackNumber number, std::uint64_t payload_offset) const;
  /// Whether this is what the name means now.
  [[nodiscard]] Result<bool> name(const store::NameRecord& name) const;
  /// Whether the name means anything now.
  [[nodiscard]] Result<bool> is_named(const std::string& name) const;

 private:
  explicit Liveness(Store::Parts& parts) : parts_(&parts) {}
  /// What living deltas need; true if that may be deltas again.
  [[nodiscard]] Result<bool> mark_bases();
  [[nodiscard]] Result<void> mark_bases_in(const store::PackEntry& pack, bool& found_delta);
  [[nodiscard]] Result<void> need_base(const store::FrameRecord& delta, bool& found_delta);

  Store::Parts* parts_;
  std::unordered_set<Digest> needed_;
};

/// What garbage collection will do.
struct GcPlan {
  std::vector<store::PackEntry> victims;
  /// Names without a meaning that packs which stay still record: their removals must stay too.
  std::unordered_set<std::string> names_kept_removed;
  std::uint64_t chunks_dead = 0;
  std::uint64_t pack_bytes = 0;
  std::uint64_t garbage_bytes = 0;  ///< In the victims.
};

/// Errors: store_corrupt if there is a pack that neither index nor anybody can read, store_chunk_missing if
/// a named NAR has no manifest: chunks of such NARs would be taken for garbage.
[[nodiscard]] Result<void> refuse_holes(Store::Parts& parts);

[[nodiscard]] Result<GcPlan> plan_gc(Store::Parts& parts, const Liveness& liveness,
                                     double garbage_min);

}  // namespace chunker::pipeline
