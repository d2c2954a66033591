#include "cli/checkpoint.hpp"

#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <optional>
#include <sstream>

#include "cli/flags.hpp"
#include "resource/file.hpp"

namespace chunker::cli {
namespace {

constexpr std::string_view kHeader = "chunker checkpoint 1";

}  // namespace

Result<Checkpoint> Checkpoint::open(const std::string& path) {
  Checkpoint checkpoint(path);
  std::ifstream old(path, std::ios::binary);
  std::string header(kHeader.size(), '\0');
  old.read(header.data(), static_cast<std::streamsize>(header.size()));
  const bool is_new = old.gcount() == 0;
  if (!is_new && header != kHeader) {
    return std::unexpected(usage_error("this file is no checkpoint of chunker", path));
  }
  std::string line;
  while (std::getline(old, line)) checkpoint.read_line(line);
  errno = 0;
  checkpoint.file_.open(path, std::ios::binary | std::ios::app);
  if (!checkpoint.file_) {
    return std::unexpected(resource::system_error(errno, "cannot write the checkpoint", path));
  }
  checkpoint.file_ << (is_new ? kHeader : "") << '\n';
  return checkpoint;
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
           std::int64_t{status.st_mtim.tv_sec} * kNsPerSecond + status.st_mtim.tv_nsec};
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
    const std::string name = source.name.empty() ? source.path.filename().string() : source.name;
    const auto stored = store.find(name);
    return stored && stored->name == name && stored->nar_sha256 == known->second.nar_sha256;
  });
}

void Checkpoint::add(const IngestSource& source, const Digest& nar_sha256) {
  const std::string& path = source.path.native();
  const auto begun = begun_.find(path);
  if (begun == begun_.end() || path.find('\n') != std::string::npos) return;
  file_ << nar_sha256.hex() << ' ' << begun->second.bytes << ' ' << begun->second.changed_ns << ' '
        << path << '\n'
        << std::flush;
}

Result<void> Checkpoint::remove() {
  file_.close();
  if (std::remove(path_.c_str()) == 0 || errno == ENOENT) return {};
  return std::unexpected(resource::system_error(errno, "cannot remove the checkpoint", path_));
}

}  // namespace chunker::cli
