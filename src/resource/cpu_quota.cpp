#include "chunker/cpu_quota.hpp"

#include <sched.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/try.hpp"

namespace chunker {
namespace {

namespace fs = std::filesystem;

/// What the files that we read have at most.
constexpr std::streamsize kFileBytesMax = 64 << 10;
/// More CPUs than any kernel is built for.
constexpr std::size_t kCpusMax = 1 << 16;

/// Where version 1 keeps a group's limit, and version 2.
constexpr std::string_view kV1Controller = "cpu";
constexpr const char* kV2Places[] = {"sys/fs/cgroup", "sys/fs/cgroup/unified"};

std::string read_text(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text(static_cast<std::size_t>(kFileBytesMax), '\0');
  file.read(text.data(), kFileBytesMax);
  text.resize(static_cast<std::size_t>(std::max<std::streamsize>(0, file.gcount())));
  return text;
}

/// The number that `text` begins with, which moves on behind it. Nothing for "max", -1 and whatever else is none.
std::optional<std::uint64_t> take_number(std::string_view& text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  while (text.starts_with(' ')) text.remove_prefix(1);
  return number;
}

std::optional<double> share(std::optional<std::uint64_t> quota,
                            std::optional<std::uint64_t> period) {
  if (!quota || !period || *quota == 0 || *period == 0) return std::nullopt;
  return static_cast<double>(*quota) / static_cast<double>(*period);
}

std::optional<double> limit_v1(const fs::path& group) {
  const std::string quota = read_text(group / "cpu.cfs_quota_us");
  const std::string period = read_text(group / "cpu.cfs_period_us");
  std::string_view quota_text = quota;
  std::string_view period_text = period;
  return share(take_number(quota_text), take_number(period_text));
}

std::optional<double> limit_v2(const fs::path& group) {
  const std::string limit = read_text(group / "cpu.max");
  std::string_view text = limit;
  const auto quota = take_number(text);
  return share(quota, take_number(text));
}

void lower(std::optional<double>& least, std::optional<double> limit) {
  if (limit && (!least || *limit < *least)) least = limit;
}

/// The smallest limit of the group `path` below `mount` and of those around it. In a container the path may be that
/// of the host, which is not there: then the mount is the container's own group, and the only one.
template <class Limit>
void lower_along(std::optional<double>& least, const fs::path& mount, const fs::path& path,
                 const Limit& limit) {
  for (fs::path group = path.lexically_normal().relative_path();; group = group.parent_path()) {
    lower(least, limit(mount / group));
    if (group.empty()) return;
  }
}

bool has_controller(std::string_view controllers, std::string_view wanted) {
  while (!controllers.empty()) {
    const std::size_t comma = std::min(controllers.find(','), controllers.size());
    if (controllers.substr(0, comma) == wanted) return true;
    controllers.remove_prefix(std::min(comma + 1, controllers.size()));
  }
  return false;
}

/// "4:cpu,cpuacct:/a/b" of version 1, or "0::/a/b" of version 2.
void lower_by_line(std::optional<double>& least, const fs::path& root, std::string_view line) {
  const std::size_t first = line.find(':');
  const std::size_t second = first == line.npos ? line.npos : line.find(':', first + 1);
  if (second == line.npos) return;
  const std::string_view controllers = line.substr(first + 1, second - first - 1);
  const fs::path path(line.substr(second + 1));
  if (controllers.empty()) {
    for (const char* place : kV2Places) lower_along(least, root / place, path, limit_v2);
  } else if (has_controller(controllers, kV1Controller)) {
    const fs::path mounts = root / "sys/fs/cgroup";
    lower_along(least, mounts / controllers, path, limit_v1);
    if (controllers != kV1Controller) lower_along(least, mounts / kV1Controller, path, limit_v1);
  }
}

unsigned cpus_of_affinity() {
  for (std::size_t cpus = CPU_SETSIZE; cpus <= kCpusMax; cpus *= 2) {
    const std::size_t bytes = CPU_ALLOC_SIZE(cpus);
    std::vector<cpu_set_t> set((bytes + sizeof(cpu_set_t) - 1) / sizeof(cpu_set_t));
    if (::sched_getaffinity(0, bytes, set.data()) == 0) {
      return static_cast<unsigned>(std::max(1, CPU_COUNT_S(bytes, set.data())));
    }
  }
  return std::max(1U, std::thread::hardware_concurrency());
}

}  // namespace

Result<void> CpuQuota::validate() const {
  if (nice_level >= 0 && nice_level <= kNiceLevelMax) return {};
  return base::fail(ErrorCode::invalid_argument, "a nice level is 0 to 19");
}

std::optional<double> cgroup_cpus(const fs::path& root) {
  std::optional<double> least;
  std::istringstream groups(read_text(root / "proc/self/cgroup"));
  for (std::string line; std::getline(groups, line);) lower_by_line(least, root, line);
  return least;
}

unsigned available_cpus(const fs::path& root) {
  const unsigned cpus = cpus_of_affinity();
  const auto allowed = cgroup_cpus(root);
  if (!allowed || *allowed >= cpus) return cpus;
  return std::max(1U, static_cast<unsigned>(std::ceil(*allowed)));
}

}  // namespace chunker
