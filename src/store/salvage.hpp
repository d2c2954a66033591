#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "chunker/digest.hpp"
#include "chunker/error.hpp"
#include "store/parts.hpp"

namespace chunker::store {

/// Whether this error says that stored bytes are damaged or gone, and not that this process cannot read
/// them: no codec, no permission, no memory, a device that fails today.
[[nodiscard]] bool is_damage(ErrorCode code) noexcept;

/// Passes over what is damaged or gone; any other error may be gone the next time, and what it hides is not to be
/// forgotten.
[[nodiscard]] Result<void> unless_damaged(const Error& error);

struct Salvaged {
  std::uint64_t chunks_copied = 0;
  /// The index found them in these packs, and there is no intact copy where it was looked for.
  std::vector<Digest> chunks_lost;
  /// What can go: all of the packs but those that were replaced by a sound one of the same key.
  std::vector<std::string> packs;
};

/// Whether to look for second copies of what is lost, in every pack there is.
enum class Elsewhere : std::uint8_t { skip, look };

/// What becomes of names and removals: made durable anew with the rest, or left to the caller.
enum class Names : std::uint8_t { keep, leave };

/// Takes everything that is intact out of packs that are damaged, cut short or gone, and makes it durable in
/// new ones: the chunks and manifests that the index finds there, names and removals, and with
/// Elsewhere::look chunks of which only another pack has a good copy. Afterwards nobody needs these packs,
/// and forgetting them loses only what is lost. Nothing is taken away here, and what was cut off at any
/// moment may be done again.
/// Errors:  store_*, io_*; those that are no damage end it.
/// Cost:    memory of about 110 bytes per chunk in these packs. One pass over the index; looking elsewhere is
///          one over all pack directories if any chunk is lost, and another while that finds some but not all.
[[nodiscard]] Result<Salvaged> salvage(Store::Parts& parts, std::span<const std::string> keys,
                                       Elsewhere elsewhere, Names names = Names::keep);

}  // namespace chunker::store
