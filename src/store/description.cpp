#include "store/description.hpp"

#include <array>
#include <random>
#include <system_error>

#include "base/hex.hpp"
#include "base/try.hpp"
#include "resource/file.hpp"

namespace chunker::store {
namespace {

constexpr std::string_view kFileName = "chunker.store";
constexpr std::size_t kFileBytesMax = 4096;
constexpr std::string_view kFirstLine = "chunker-store 1";

std::string_view take_line(std::string_view& text) {
  const std::size_t end = text.find('\n');
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return line;
}

Result<void> set(Description& description, std::string_view key, std::string_view value) {
  if (key == "layout" && value == name(StoreLayout::packs)) {
    description.layout = StoreLayout::packs;
  } else if (key == "layout" && value == name(StoreLayout::objects)) {
    description.layout = StoreLayout::objects;
  } else if (key == "hash") {
    description.hash = value;
  } else if (key == "id") {
    description.id = value;
  } else {
    return base::fail(ErrorCode::store_version, "chunker.store has a line this version cannot read",
                      Error::kNoOffset, std::string(key) + " " + std::string(value));
  }
  return {};
}

Result<Description> parse(std::string_view text) {
  if (const auto first = take_line(text); first != kFirstLine) {
    const bool newer = first.starts_with("chunker-store ");
    return base::fail(
        newer ? ErrorCode::store_version : ErrorCode::store_corrupt,
        newer ? "the store was made by a newer version" : "chunker.store does not begin like one",
        0, std::string(kFileName));
  }
  Description description;
  while (!text.empty()) {
    const std::string_view line = take_line(text);
    const std::size_t space = line.find(' ');
    if (space == std::string_view::npos) {
      return base::fail(ErrorCode::store_corrupt, "a line of chunker.store is not \"key value\"",
                        Error::kNoOffset, std::string(kFileName));
    }
    CHUNKER_TRY_VOID(set(description, line.substr(0, space), line.substr(space + 1)));
  }
  if (description.hash.empty() || description.id.empty()) {
    return base::fail(ErrorCode::store_corrupt, "chunker.store lacks a line", Error::kNoOffset,
                      std::string(kFileName));
  }
  return description;
}

Result<void> refuse_foreign_directory(const std::filesystem::path& directory) {
  std::error_code error;
  for (std::filesystem::directory_iterator it(directory, error), end; !error && it != end;
       it.increment(error)) {
    const std::string found = it->path().filename().string();
    // What a creation that was cut off leaves behind.
    if (found == "tmp" || found == "lock" || found == "chunker.store.new") continue;
    return base::fail(ErrorCode::invalid_argument,
                      "the directory is not empty and not a chunker store", Error::kNoOffset,
                      directory.string());
  }
  if (error)
    return std::unexpected(resource::system_error(error.value(), "cannot list", directory));
  return {};
}

/// Makes every missing level, each durable in the one above it.
Result<void> make_directories(const std::filesystem::path& directory) {
  auto path = std::filesystem::absolute(directory).lexically_normal();
  if (!path.has_filename()) path = path.parent_path();  // "store/" is "store".
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) return {};
  if (path.has_relative_path()) CHUNKER_TRY_VOID(make_directories(path.parent_path()));
  CHUNKER_TRY(const bool made, resource::make_directory(path));
  return made ? resource::sync_directory(path.parent_path()) : Result<void>();
}

Result<void> write_durably(const std::filesystem::path& directory, std::string_view text) {
  const auto path = directory / kFileName;
  auto unfinished = path;
  unfinished += ".new";
  CHUNKER_TRY_VOID(resource::remove_file(unfinished));
  CHUNKER_TRY(resource::File file, resource::File::create_new(unfinished));
  CHUNKER_TRY_VOID(file.write_all(bytes_of(text)));
  CHUNKER_TRY_VOID(file.sync_data());
  CHUNKER_TRY_VOID(resource::rename_file(unfinished, path));
  return resource::sync_directory(directory);
}

}  // namespace

Result<Description> read_description(const std::filesystem::path& directory) {
  const auto path = directory / kFileName;
  auto file = resource::File::open_read(path);
  if (!file) {
    if (file.error().code != ErrorCode::io_not_found) return std::unexpected(file.error());
    return base::fail(ErrorCode::store_not_found, "there is no chunker store here",
                      Error::kNoOffset, directory.string());
  }
  ByteBuffer text(kFileBytesMax);
  CHUNKER_TRY(const std::size_t size, file->read_at(0, text.span()));
  if (size == kFileBytesMax) {
    return base::fail(ErrorCode::store_corrupt, "chunker.store is too long to be one", size,
                      directory.string());
  }
  auto description = parse(text_of(text.view().first(size)));
  if (!description)
    return std::unexpected(std::move(description).error().within(directory.string()));
  return description;
}

Result<Description> create_description(const std::filesystem::path& directory, StoreLayout layout,
                                       std::string_view hash) {
  CHUNKER_TRY_VOID(make_directories(directory));
  CHUNKER_TRY_VOID(refuse_foreign_directory(directory));
  // Two who create at once: one waits its turn and finds what the other made.
  CHUNKER_TRY(const auto lock, resource::FileLock::try_exclusive(directory / "lock"));
  if (auto made = read_description(directory);
      made || made.error().code != ErrorCode::store_not_found) {
    return made;
  }
  std::array<std::byte, 16> id;
  std::random_device random;
  for (std::byte& byte : id) byte = static_cast<std::byte>(random());
  Description description{layout, std::string(hash), base::to_hex(id)};
  std::string text(kFirstLine);
  text.append("\nlayout ").append(name(layout));
  text.append("\nhash ").append(hash);
  text.append("\nid ").append(description.id).append("\n");
  CHUNKER_TRY_VOID(write_durably(directory, text));
  return description;
}

}  // namespace chunker::store
