#include "cli/checkpoint.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <sstream>

#include "base/try.hpp"
#include "cli/flags.hpp"
#include "pipeline/input.hpp"
#include "resource/file.hpp"
#include "resource/replacement.hpp"
#include "store/parts.hpp"

namespace chunker::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kHeader = "chunker checkpoint 1\n";

/// A name stays when chunks of its NAR are lost, and ingesting that again is what heals the store.
bool is_whole(const Store& store, const Digest& nar_sha256) {
  const auto manifest = store.manifest(nar_sha256);
  if (!manifest) return false;
  std::vector<Digest> digests;
  for (const ChunkReference& chunk : manifest->chunks) digests.push_back(chunk.digest);
  const auto found = store.parts().index->chunks(digests);
  return found && std::ranges::all_of(*found, [](const auto& one) { return one.has_value(); });
}

/// With its first line at once: an empty file is somebody else's, a lock maybe, and not one that was begun.
Result<void> begin(const std::string& path) {
  CHUNKER_TRY(auto file, resource::Replacement::begin(path));
  CHUNKER_TRY_VOID(file.append(bytes_of(kHeader)));
  return file.commit();
}

}  // namespace

Result<Checkpoint> Checkpoint::open(const std::string& path) {
  Checkpoint checkpoint(path);
  CHUNKER_TRY(const bool was_there, checkpoint.read());
  if (!was_there) CHUNKER_TRY_VOID(begin(path));
  errno = 0;
  checkpoint.file_.open(path, std::ios::binary | std::ios::app);
  if (!checkpoint.file_) {
    return std::unexpected(resource::system_error(errno, "cannot write the checkpoint", path));
  }
  // The last line may have been cut off.
  if (was_there) CHUNKER_TRY_VOID(checkpoint.write("\n"));
  return checkpoint;
}

Result<bool> Checkpoint::read() {
  std::error_code unknown;
  const fs::file_status status = fs::symlink_status(path_, unknown);
  if (!fs::exists(status)) return false;
  // Anything else would be removed in the end, or waited for; of a link, the link and not the file.
  if (!fs::is_regular_file(status)) {
    return std::unexpected(usage_error("a checkpoint must be a file, and no link to one", path_));
  }
  errno = 0;
  std::ifstream old(path_, std::ios::binary);
  if (!old) {
    return std::unexpected(resource::system_error(errno, "cannot read the checkpoint", path_));
  }
  std::string header(kHeader.size(), '\0');
  old.read(header.data(), static_cast<std::streamsize>(header.size()));
  header.resize(static_cast<std::size_t>(old.gcount()));
  if (header != kHeader) {
    return std::unexpected(usage_error("this file is no checkpoint of chunker", path_));
  }
  for (std::string line; std::getline(old, line);) read_line(line);
  return true;
}

Result<void> Checkpoint::write(std::string_view text) {
  errno = 0;
  file_ << text << std::flush;
  if (file_) return {};
  return std::unexpected(resource::system_error(errno, "cannot write the checkpoint", path_));
}

/// A line may have been cut off: what it would have said is ingested again.
void Checkpoint::read_line(const std::string& line) {
  std::istringstream words(line);
  std::string hash;
  Known known;
  words >> hash >> known.stamp.bytes >> known.stamp.changed_ns;
  const auto digest = Digest::from_hex(hash);
  std::string path;
  if (!digest || words.get() != ' ' || !std::getline(words, path)) return;
  known.nar_sha256 = *digest;
  known_[path] = known;
}

bool Checkpoint::stamp_of(const IngestSource& source, Stamp& stamp) {
  struct stat status{};
  if (source.kind != IngestSource::Kind::nar_file || ::stat(source.path.c_str(), &status) != 0 ||
      !S_ISREG(status.st_mode)) {
    return false;
  }
  constexpr std::int64_t kNsPerSecond = 1'000'000'000;
  stamp = {static_cast<std::uint64_t>(status.st_size),
           std::int64_t{status.st_ctim.tv_sec} * kNsPerSecond + status.st_ctim.tv_nsec};
  return true;
}

std::size_t Checkpoint::skip_known(const Store& store, std::vector<IngestSource>& sources) {
  begun_.clear();
  return std::erase_if(sources, [&](const IngestSource& source) {
    Stamp stamp;
    if (!stamp_of(source, stamp)) return false;
    begun_[source.path.native()] = stamp;
    const auto known = known_.find(source.path.native());
    if (known == known_.end() || known->second.stamp != stamp) return false;
    const std::string name = pipeline::name_of(source);
    const auto stored = store.find(name);
    return stored && stored->name == name && stored->nar_sha256 == known->second.nar_sha256 &&
           is_whole(store, stored->nar_sha256);
  });
}

Result<void> Checkpoint::add(const IngestSource& source, const Digest& nar_sha256) {
  const std::string& path = source.path.native();
  const auto begun = begun_.find(path);
  if (begun == begun_.end() || path.find('\n') != std::string::npos || !file_) return {};
  return write(fmt::format("{} {} {} {}\n", nar_sha256.hex(), begun->second.bytes,
                           begun->second.changed_ns, path));
}

Result<void> Checkpoint::remove() {
  file_.close();
  if (std::remove(path_.c_str()) == 0 || errno == ENOENT) return {};
  return std::unexpected(resource::system_error(errno, "cannot remove the checkpoint", path_));
}

}  // namespace chunker::cli
