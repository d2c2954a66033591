#include "store/entry_table.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>

#include "base/try.hpp"
#include "base/wire.hpp"

namespace chunker::store {
namespace {

using base::append_varint;
using base::fail;

// entry := varint shared, varint length, bytes, varint kind, varint gap, varint size_bytes
// `kind` is the type, plus kExecutable for a regular file that may be run.
constexpr std::uint64_t kExecutable = 4;
constexpr std::uint64_t kKindMax = kExecutable | static_cast<std::uint64_t>(NarEntryType::regular);

std::uint64_t kind_of(const NarEntry& entry) noexcept {
  return static_cast<std::uint64_t>(entry.type) | (entry.executable ? kExecutable : 0);
}

std::size_t shared_prefix(std::string_view a, std::string_view b) noexcept {
  const auto limit = std::min(a.size(), b.size());
  return static_cast<std::size_t>(std::mismatch(a.begin(), a.begin() + limit, b.begin()).first -
                                  a.begin());
}

bool is_name(std::string_view name) noexcept {
  return !name.empty() && name.size() <= kNarNameBytesMax && name != "." && name != ".." &&
         !name.contains('\0');
}

// Accepts entries one by one if an archive could list them in this order: a tree, written parent first, with
// names ascending in each directory. One truth for the writer and the reader of tables.
class Archive {
 public:
  explicit Archive(std::uint64_t nar_bytes) noexcept : nar_bytes_(nar_bytes) {}

  // What is wrong with `entry` as the next one; empty if nothing is. It shares `shared` bytes of path with the
  // entry before it, which the caller keeps.
  std::string_view fault_of_next(const NarEntry& entry, const NarEntry* before,
                                 std::size_t shared) {
    if (const auto fault = fault_of_place(entry, before); !fault.empty()) return fault;
    if (const auto fault = fault_of_size(entry); !fault.empty()) return fault;
    const auto fault =
        before == nullptr ? fault_of_root(entry) : fault_of_path(entry, *before, shared);
    if (entry.type == NarEntryType::directory) open_.push_back(entry.path.size());
    path_bytes_ += entry.path.size();
    return fault;
  }

  std::string_view fault_of_paths(std::uint64_t table_bytes) const noexcept {
    if (path_bytes_ <= path_bytes_max(table_bytes)) return {};
    return "an archive's paths are too long for their number";
  }

 private:
  std::string_view fault_of_place(const NarEntry& entry, const NarEntry* before) const noexcept {
    if (before != nullptr && (entry.offset_bytes <= before->offset_bytes ||
                              entry.offset_bytes - before->offset_bytes < before->size_bytes)) {
      return "an entry begins inside the one before it";
    }
    if (entry.offset_bytes > nar_bytes_ || entry.size_bytes > nar_bytes_ - entry.offset_bytes) {
      return "an entry reaches beyond its archive";
    }
    return {};
  }

  static std::string_view fault_of_size(const NarEntry& entry) noexcept {
    switch (entry.type) {
      case NarEntryType::regular:
        return {};
      case NarEntryType::directory:
        if (entry.size_bytes != 0 || entry.executable)
          return "a directory has a size or can be run";
        return {};
      case NarEntryType::symlink:
        if (entry.executable) return "a symlink can be run";
        if (entry.size_bytes == 0 || entry.size_bytes > kNarTargetBytesMax) {
          return "a symlink's target is empty or longer than 4095 bytes";
        }
        return {};
    }
    return "an entry is of no known type";
  }

  static std::string_view fault_of_root(const NarEntry& entry) noexcept {
    return entry.path.empty() ? std::string_view() : "the first entry is not the root";
  }

  // The parent is an open directory if it is one of `open_` after those are closed that `entry` is not in.
  // All of `open_` are leading parts of the path before, so lengths are enough to compare.
  std::string_view fault_of_path(const NarEntry& entry, const NarEntry& before,
                                 std::size_t shared) {
    const std::string_view path = entry.path;
    if (path.size() > kNarPathBytesMax) return "an entry's path is longer than 4095 bytes";
    const std::size_t slash = path.rfind('/');
    const std::size_t parent = slash == path.npos ? 0 : slash;
    const std::size_t name_begin = slash == path.npos ? 0 : slash + 1;
    while (!open_.empty() && open_.back() > parent) open_.pop_back();
    if (open_.empty() || open_.back() != parent || parent > shared || slash == 0) {
      return "an entry's parent is not an open directory";
    }
    const std::string_view name = path.substr(name_begin);
    if (!is_name(name)) return "an entry's name is not one";
    if (before.path.size() > parent) {
      const std::string_view beside = std::string_view(before.path).substr(name_begin);
      if (name <= beside.substr(0, beside.find('/'))) return "names of a directory do not ascend";
    }
    return {};
  }

  std::uint64_t nar_bytes_;
  std::uint64_t path_bytes_ = 0;   // Of all entries so far.
  std::vector<std::size_t> open_;  // Lengths of the paths of open directories, the root's first.
};

// One entry as it is spelled in the table.
struct Spelled {
  std::uint64_t shared;
  std::string_view suffix;
  std::uint64_t kind;
  std::uint64_t gap;
  std::uint64_t size_bytes;
};

std::optional<Spelled> read_spelled(base::WireReader& reader) noexcept {
  const auto shared = reader.varint();
  const auto length = reader.varint();
  const auto suffix = length ? reader.bytes(*length) : std::nullopt;
  const auto kind = reader.varint();
  const auto gap = reader.varint();
  const auto size_bytes = reader.varint();
  if (!shared || !suffix || !kind || !gap || !size_bytes) return std::nullopt;
  return Spelled{*shared, text_of(*suffix), *kind, *gap, *size_bytes};
}

// The entry that `spelled` stands for behind `before`, and nothing if it does not stand for one. Only the
// longest shared part is accepted, so that a table has one spelling.
std::optional<NarEntry> entry_of(const Spelled& spelled, const NarEntry* before,
                                 std::uint64_t nar_bytes) {
  const std::string_view path =
      before == nullptr ? std::string_view() : std::string_view(before->path);
  const std::uint64_t end = before == nullptr ? 0 : before->offset_bytes + before->size_bytes;
  if (spelled.shared > path.size() || spelled.suffix.size() > kNarPathBytesMax ||
      spelled.kind > kKindMax || spelled.gap > nar_bytes - end) {
    return std::nullopt;
  }
  const auto shared = static_cast<std::size_t>(spelled.shared);
  if (shared < path.size() && !spelled.suffix.empty() && path[shared] == spelled.suffix.front()) {
    return std::nullopt;
  }
  NarEntry entry;
  entry.path.reserve(shared + spelled.suffix.size());
  entry.path.append(path, 0, shared).append(spelled.suffix);
  entry.type = static_cast<NarEntryType>(spelled.kind & ~kExecutable);
  entry.executable = (spelled.kind & kExecutable) != 0;
  entry.offset_bytes = end + spelled.gap;
  entry.size_bytes = spelled.size_bytes;
  return entry;
}

}  // namespace

Result<void> encode_entries(std::span<const NarEntry> entries, std::uint64_t nar_bytes,
                            ByteBuffer& table) {
  const std::size_t table_begin = table.size();
  Archive archive(nar_bytes);
  const NarEntry* before = nullptr;
  for (const NarEntry& entry : entries) {
    const std::size_t shared = before == nullptr ? 0 : shared_prefix(before->path, entry.path);
    if (const auto fault = archive.fault_of_next(entry, before, shared); !fault.empty()) {
      return fail(ErrorCode::invalid_argument, fault, entry.offset_bytes, entry.path);
    }
    append_varint(table, shared);
    append_varint(table, entry.path.size() - shared);
    table.append(bytes_of(entry.path).subspan(shared));
    append_varint(table, kind_of(entry));
    append_varint(table, before == nullptr
                             ? entry.offset_bytes
                             : entry.offset_bytes - before->offset_bytes - before->size_bytes);
    append_varint(table, entry.size_bytes);
    before = &entry;
  }
  if (const auto fault = archive.fault_of_paths(table.size() - table_begin); !fault.empty()) {
    return fail(ErrorCode::invalid_argument, fault);
  }
  return {};
}

Result<std::vector<NarEntry>> decode_entries(Bytes table, std::uint64_t entry_count,
                                             std::uint64_t nar_bytes) {
  if (entry_count > table.size() / kEntryBytesMin) {
    return fail(ErrorCode::store_corrupt, "an entry table has more entries than bytes", 0);
  }
  std::vector<NarEntry> entries;
  entries.reserve(static_cast<std::size_t>(entry_count));
  base::WireReader reader(table);
  Archive archive(nar_bytes);
  while (entries.size() < entry_count) {
    const std::size_t begin = reader.offset();
    const NarEntry* before = entries.empty() ? nullptr : &entries.back();
    const auto spelled = read_spelled(reader);
    if (!spelled) return fail(ErrorCode::store_corrupt, "an entry is cut off or malformed", begin);
    auto entry = entry_of(*spelled, before, nar_bytes);
    if (!entry)
      return fail(ErrorCode::store_corrupt, "an entry does not fit the one before it", begin);
    auto fault = archive.fault_of_next(*entry, before, static_cast<std::size_t>(spelled->shared));
    if (fault.empty()) fault = archive.fault_of_paths(table.size());
    if (!fault.empty()) return fail(ErrorCode::store_corrupt, fault, begin);
    entries.push_back(*std::move(entry));
  }
  if (!reader.at_end()) {
    return fail(ErrorCode::store_corrupt, "bytes follow an entry table", reader.offset());
  }
  return entries;
}

}  // namespace chunker::store
