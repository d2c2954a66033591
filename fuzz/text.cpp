#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <string_view>

#include "base/check.hpp"
#include "base/hex.hpp"
#include "base/utf8.hpp"
#include "chunker/cpu_quota.hpp"
#include "chunker/references.hpp"
#include "chunker/sign.hpp"
#include "cli/checkpoint.hpp"
#include "cli/narinfo.hpp"
#include "cli/text.hpp"
#include "delta/package_name.hpp"
#include "scratch_store.hpp"
#include "store/description.hpp"

// input := u8 kind, text. Small texts that come from outside: names, sizes, hashes, a narinfo, the description of a
// store, a checkpoint, control groups. What is refused is refused with an error; what is written can be read back.

namespace {

using namespace chunker;
namespace fs = std::filesystem;

std::uint8_t octal(std::string_view digits) {
  return static_cast<std::uint8_t>((digits[0] - '0') * 64 + (digits[1] - '0') * 8 + digits[2] -
                                   '0');
}

/// What a shell makes of $'...'.
std::string read_by_shell(std::string_view text) {
  if (!text.starts_with("$'")) return std::string(text);
  CHUNKER_CHECK(text.size() >= 3 && text.ends_with('\''));
  text = text.substr(2, text.size() - 3);
  std::string name;
  while (!text.empty()) {
    const bool escaped = text.starts_with('\\');
    const bool is_octal = escaped && text[1] >= '0' && text[1] <= '7';
    name.push_back(is_octal ? static_cast<char>(octal(text.substr(1))) : text[escaped ? 1 : 0]);
    text.remove_prefix(is_octal ? 4 : escaped ? 2 : 1);
  }
  return name;
}

/// The reverse of json_text().
std::string read_from_json(std::string_view text) {
  constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
  std::string name;
  while (!text.empty()) {
    std::array<std::byte, 1> byte{static_cast<std::byte>(text.front())};
    const bool replaced = text.starts_with(kReplacement);
    if (replaced) CHUNKER_CHECK(base::from_hex(text.substr(kReplacement.size(), 2), byte));
    name.push_back(static_cast<char>(byte[0]));
    text.remove_prefix(replaced ? kReplacement.size() + 2 : 1);
  }
  return name;
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t bytes = base::utf8_bytes(text);
    if (bytes == 0) return false;
    text.remove_prefix(bytes);
  }
  return true;
}

void check_name(std::string_view name) {
  const std::string json = cli::json_text(name);
  CHUNKER_CHECK(is_utf8(json) && read_from_json(json) == name);
  const std::string line = cli::printable(name);
  CHUNKER_CHECK(is_utf8(line) && line.find_first_of("\n\r\x1b") == line.npos);
  if (!name.starts_with("$'")) CHUNKER_CHECK(read_by_shell(line) == name);
  CHUNKER_CHECK(delta::package_name(name).size() <= name.size() + 1);
  const std::string shape = delta::name_shape(name);
  CHUNKER_CHECK(delta::without_numbers(shape).size() <= shape.size());
}

void check_number(std::string_view text) {
  if (const auto bytes = cli::parse_bytes(text)) {
    CHUNKER_CHECK(cli::parse_bytes(cli::short_bytes(*bytes)) == bytes);
  }
  if (const auto digest = cli::parse_sri(text)) {
    CHUNKER_CHECK(text.starts_with("sha256-") && cli::nix_hash(*digest).starts_with("sha256:"));
  }
  const Bytes bytes = bytes_of(text);
  if (bytes.size() < kStoreHashCharacters) return;
  const auto characters = bytes.first<kStoreHashCharacters>();
  if (const auto hash = StoreHash::parse(characters)) {
    CHUNKER_CHECK(std::ranges::equal(hash->characters(), characters));
  }
}

void check_narinfo(std::string_view text) {
  constexpr std::string_view kSignature = "cache-1:abcd";
  const auto info = cli::parse_narinfo(text);
  const std::string with_one = cli::with_signature(text, kSignature);
  CHUNKER_CHECK(cli::with_signature(with_one, kSignature) == with_one);
  const auto again = cli::parse_narinfo(with_one);
  CHUNKER_CHECK(again.has_value() == info.has_value());
  if (!info) return;
  CHUNKER_CHECK(again->fingerprint == info->fingerprint && !again->signatures.empty());
  CHUNKER_CHECK(again->signatures.back() == kSignature);
}

void write(const fs::path& path, std::string_view text) {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << text;
}

void check_description(const fs::path& directory, std::string_view text) {
  write(directory / "chunker.store", text);
  const auto description = store::read_description(directory);
  if (description) {
    CHUNKER_CHECK(text.starts_with("chunker-store 1\n") && !description->id.empty());
  } else {
    CHUNKER_CHECK(description.error().code == ErrorCode::store_corrupt ||
                  description.error().code == ErrorCode::store_version);
  }
}

void check_checkpoint(const fs::path& directory, std::string_view text) {
  const fs::path path = directory / "checkpoint";
  write(path, text);
  auto checkpoint = cli::Checkpoint::open(path.string());
  CHUNKER_CHECK(checkpoint.has_value() == text.starts_with("chunker checkpoint 1\n"));
  if (checkpoint) CHUNKER_CHECK(checkpoint->remove() && !fs::exists(path));
}

/// The groups of the process, up to a NUL, and then a limit.
void check_groups(const fs::path& root, std::string_view text) {
  const std::size_t end = std::min(text.find('\0'), text.size());
  const std::string_view limit = text.substr(std::min(end + 1, text.size()));
  write(root / "proc/self/cgroup", text.substr(0, end));
  for (const char* place : {"cpu.max", "a/cpu.max", "cpu/cpu.cfs_quota_us"}) {
    write(root / "sys/fs/cgroup" / place, limit);
  }
  write(root / "sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  const auto cpus = cgroup_cpus(root);
  CHUNKER_CHECK(!cpus || (std::isfinite(*cpus) && *cpus > 0));
  CHUNKER_CHECK(available_cpus(root) >= 1);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const fuzz::ScratchDirectory directory;
  if (size == 0) return 0;
  const std::string_view text = text_of(std::as_bytes(std::span(data, size))).substr(1);
  switch (data[0] % 6) {
    case 0:
      check_name(text);
      break;
    case 1:
      check_number(text);
      break;
    case 2:
      check_narinfo(text);
      break;
    case 3:
      check_description(directory.path(), text);
      break;
    case 4:
      check_checkpoint(directory.path(), text);
      break;
    default:
      check_groups(directory.path() / "root", text);
  }
  return 0;
}
