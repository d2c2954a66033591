#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "chunker/digest.hpp"

// How the program spells numbers, times and names. Nothing here depends on the locale.
namespace chunker::cli {

/// "512 B", "1.5 GiB": binary units, one decimal.
[[nodiscard]] std::string human_bytes(std::uint64_t bytes);
/// "1,518,512,345".
[[nodiscard]] std::string with_commas(std::uint64_t value);
/// "1 NAR", "1,518 NARs"; `plural` where it does not end in s.
[[nodiscard]] std::string counted(std::uint64_t count, std::string_view noun,
                                  std::string_view plural = {});
/// "0.42 s", "12.3 s", "3m05s", "2h07m".
[[nodiscard]] std::string duration(double seconds);
/// "45 %" of `part` in `whole`; nothing but "-" of nothing.
[[nodiscard]] std::string percent(std::uint64_t part, std::uint64_t whole);
/// "2026-11-04T12:33:00Z".
[[nodiscard]] std::string utc_time(std::uint64_t unix_seconds);

/// "524288", "512K", "512KiB", "2M", "1G": bytes in binary units; nothing if `text` is not that.
[[nodiscard]] std::optional<std::uint64_t> parse_bytes(std::string_view text) noexcept;
/// The reverse, as short as it is exact: "512K".
[[nodiscard]] std::string short_bytes(std::uint64_t bytes);

/// A name on one line of a terminal: as it is, or as $'...' that a shell reads back if it holds control characters,
/// such as turn the direction of writing among them, or is not UTF-8.
[[nodiscard]] std::string printable(std::string_view name);
/// A name as UTF-8 for JSON. A byte that is not part of well-formed UTF-8 becomes U+FFFD and its two
/// hexadecimal digits, and so do the three bytes of U+FFFD itself, so different names stay different.
[[nodiscard]] std::string json_text(std::string_view name);

/// The digest in "sha256-<base64>", a hash as newer tools of Nix write it (SRI); nothing if `text` is not that.
[[nodiscard]] std::optional<Digest> parse_sri(std::string_view text) noexcept;
/// "sha256:" and Nix's base 32, as NarHash of a narinfo has it.
[[nodiscard]] std::string nix_hash(const Digest& sha256);

}  // namespace chunker::cli
