#include "chunker/cpu_quota.hpp"

#include <gtest/gtest.h>
#include <sched.h>

#include <fstream>
#include <string>
#include <thread>

#include "support/temporary_directory.hpp"

namespace chunker {
namespace {

// A made-up /proc/self/cgroup and /sys/fs/cgroup.
class Cgroups : public testing::Test {
 protected:
  void write(const std::string& path, const std::string& text) const {
    const auto whole = root() / path;
    std::filesystem::create_directories(whole.parent_path());
    std::ofstream(whole) << text;
  }
  void be_in(const std::string& lines) const { write("proc/self/cgroup", lines); }
  [[nodiscard]] const std::filesystem::path& root() const { return directory_.path(); }
  [[nodiscard]] std::optional<double> cpus() const { return cgroup_cpus(root()); }

  test::TemporaryDirectory directory_;
};

TEST_F(Cgroups, R10_2_WithoutAnyThereIsNoLimit) {
  EXPECT_EQ(cpus(), std::nullopt);
  be_in("0::/\n");
  EXPECT_EQ(cpus(), std::nullopt);
  write("sys/fs/cgroup/cpu.max", "max 100000\n");
  EXPECT_EQ(cpus(), std::nullopt);
}

TEST_F(Cgroups, R10_2_Version2SaysQuotaAndPeriodInOneFile) {
  be_in("0::/system.slice/chunker.service\n");
  write("sys/fs/cgroup/system.slice/chunker.service/cpu.max", "150000 100000\n");
  EXPECT_EQ(cpus(), 1.5);
}

TEST_F(Cgroups, R10_2_TheSmallestLimitOnTheWayToTheRootCounts) {
  be_in("0::/pods/pod7/app\n");
  write("sys/fs/cgroup/pods/cpu.max", "800000 100000\n");
  write("sys/fs/cgroup/pods/pod7/cpu.max", "50000 100000\n");
  write("sys/fs/cgroup/pods/pod7/app/cpu.max", "400000 100000\n");
  EXPECT_EQ(cpus(), 0.5);
}

TEST_F(Cgroups, R10_2_ANeighborsLimitDoesNotCount) {
  be_in("0::/pods/pod7\n");
  write("sys/fs/cgroup/pods/pod7/cpu.max", "300000 100000\n");
  write("sys/fs/cgroup/pods/pod8/cpu.max", "10000 100000\n");
  write("sys/fs/cgroup/pods/pod7/inner/cpu.max", "10000 100000\n");
  EXPECT_EQ(cpus(), 3.0);
}

TEST_F(Cgroups, R10_2_Version1HasAFileForEach) {
  be_in("9:memory:/m\n4:cpu,cpuacct:/a/b\n1:cpuset:/\n");
  write("sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_quota_us", "-1\n");
  write("sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(cpus(), std::nullopt);
  write("sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us", "100000\n");
  write("sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us", "50000\n");
  EXPECT_EQ(cpus(), 2.0);
}

TEST_F(Cgroups, R10_2_Version1MayBeMountedUnderTheControllersOwnName) {
  be_in("4:cpuacct,cpu:/a\n");
  write("sys/fs/cgroup/cpu/a/cpu.cfs_quota_us", "25000\n");
  write("sys/fs/cgroup/cpu/a/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(cpus(), 0.25);
}

TEST_F(Cgroups, R10_2_AGroupOfTheHostIsTheMountInAContainer) {
  be_in("4:cpu:/docker/0123\n0::/../../outside\n");
  write("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "100000\n");
  write("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(cpus(), 1.0);
  write("sys/fs/cgroup/unified/cpu.max", "75000 100000\n");
  EXPECT_EQ(cpus(), 0.75);
}

TEST_F(Cgroups, WhatCannotBeReadIsNoLimit) {
  for (const char* limit : {"", "max", "50000", "50000 0", "0 100000", "x 100000", "-5 100000",
                            "99999999999999999999999 1", "50000 max"}) {
    be_in("0::/\n");
    write("sys/fs/cgroup/cpu.max", limit);
    EXPECT_EQ(cpus(), std::nullopt) << limit;
  }
  write("sys/fs/cgroup/cpu.max", "50000 100000");
  const std::string colons(100'000, ':');
  for (const std::string& lines : {std::string(), std::string("\n0\n0:\n:"), colons}) {
    be_in(lines);
    EXPECT_LE(cpus().value_or(0), 0.5) << lines;
  }
}

TEST_F(Cgroups, R10_2_ThreadsAreWhatTheGroupAllowsRoundedUp) {
  be_in("0::/\n");
  write("sys/fs/cgroup/cpu.max", "1 100000\n");
  EXPECT_EQ(available_cpus(root()), 1U);
  const unsigned all = available_cpus(root() / "nowhere");
  write("sys/fs/cgroup/cpu.max", "1000000000 100000\n");
  EXPECT_EQ(available_cpus(root()), all);
  if (all == 1) return;
  write("sys/fs/cgroup/cpu.max", "100001 100000\n");
  EXPECT_EQ(available_cpus(root()), 2U);
}

TEST(AvailableCpus, R10_2_AffinityCounts) {
  unsigned allowed = 0;
  std::jthread([&] {
    cpu_set_t first;
    ASSERT_EQ(::sched_getaffinity(0, sizeof first, &first), 0);
    std::size_t cpu = 0;
    while (!CPU_ISSET(cpu, &first)) ++cpu;
    CPU_ZERO(&first);
    CPU_SET(cpu, &first);
    ASSERT_EQ(::sched_setaffinity(0, sizeof first, &first), 0);
    allowed = available_cpus();
  }).join();
  EXPECT_EQ(allowed, 1U);
}

TEST(CpuQuota, NiceLevelsAreZeroToNineteen) {
  for (const int level : {0, 1, 19}) EXPECT_TRUE(CpuQuota{.nice_level = level}.validate()) << level;
  for (const int level : {-1, 20, -2'000'000'000}) {
    const auto checked = CpuQuota{.nice_level = level}.validate();
    ASSERT_FALSE(checked) << level;
    EXPECT_EQ(checked.error().code, ErrorCode::invalid_argument);
  }
}

}  // namespace
}  // namespace chunker
