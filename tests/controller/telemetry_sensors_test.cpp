// Sensors read folders made like the kernel's, and the kernel's own.
#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <fstream>

#include "controller/telemetry/cgroup.hpp"
#include "controller/telemetry/host_sensors.hpp"
#include "controller/telemetry/process_tree.hpp"

namespace controller::telemetry {
namespace {

namespace fs = std::filesystem;
using ::testing::DoubleEq;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsNan;

class Sensors : public ::testing::Test {
 protected:
  Sensors() {
    std::string path = testing::TempDir() + "sensors-XXXXXX";
    folder_ = mkdtemp(path.data());
    roots_ = {.proc = folder_ / "proc", .sys = folder_ / "sys"};
  }
  ~Sensors() override { fs::remove_all(folder_); }

  void write(const std::string& name, const std::string& text) const {
    fs::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name) << text;
  }
  static std::vector<double> values_of(Found& found) {
    std::vector<double> values(found.columns.size(), std::nan(""));
    EXPECT_EQ(found.sensor->read(values), 0);
    return values;
  }
  static std::vector<std::string> names_of(const Found& found) {
    std::vector<std::string> names;
    for (const auto& column : found.columns) names.push_back(column.name);
    return names;
  }
  void write_unified(const std::string& path) const {
    write("sys/fs/cgroup/cgroup.controllers", "cpu io memory pids\n");
    const std::string group = "sys/fs/cgroup" + path;
    write(group + "/cpu.stat",
          "usage_usec 2500000\nuser_usec 2000000\nsystem_usec 500000\nnr_periods 10\n"
          "nr_throttled 2\nthrottled_usec 40000\n");
    write(group + "/memory.current", "1000000\n");
    write(group + "/memory.peak", "1500000\n");
    write(group + "/memory.stat", "anon 600000\nfile 400000\ninactive_file 300000\n");
    write(group + "/io.stat",
          "8:0 rbytes=4096 wbytes=100 rios=1 wios=1 dbytes=0 dios=0\n"
          "8:16 rbytes=4096 wbytes=11 rios=1 wios=1 dbytes=0 dios=0\n");
    write(group + "/pids.current", "3\n");
  }
  void write_split(const std::string& path) const {
    const std::string root = "sys/fs/cgroup/";
    write(root + "cpuacct" + path + "/cpuacct.usage", "2500000000\n");
    write(root + "cpu" + path + "/cpu.stat",
          "nr_periods 10\nnr_throttled 2\nthrottled_time 40000000\n");
    const std::string memory = root + "memory" + path;
    write(memory + "/memory.usage_in_bytes", "1000000\n");
    write(memory + "/memory.max_usage_in_bytes", "1500000\n");
    write(memory + "/memory.stat", "inactive_file 1\ntotal_inactive_file 300000\n");
    write(root + "blkio" + path + "/blkio.throttle.io_service_bytes",
          "8:0 Read 4096\n8:0 Write 100\n8:16 Read 4096\n8:16 Write 11\nTotal 8303\n");
    write(root + "pids" + path + "/pids.current", "3\n");
  }
  Found open(const CgroupPaths& paths) const {
    return open_cgroup(
        {.roots = roots_, .paths = paths, .source = "payload", .counts = Counts::from_zero});
  }

  fs::path folder_;
  Roots roots_;
};

TEST_F(Sensors, UnifiedGroupIsRead) {
  write_unified("/system.slice/docker-abc.scope");
  Found found = open({{"", "/system.slice/docker-abc.scope"}});
  EXPECT_EQ(found.source.kind, "cgroup v2");
  EXPECT_THAT(values_of(found),
              ElementsAre(2.5, 0.04, 700000, 1500000, 8192, 111, 3, IsNan(), IsNan()));
  EXPECT_THAT(
      names_of(found),
      ElementsAre("payload.cpu_seconds", "payload.cpu_throttled_seconds", "payload.memory_bytes",
                  "payload.memory_max_bytes", "payload.io_read_bytes", "payload.io_write_bytes",
                  "payload.pids", "payload.net_rx_bytes", "payload.net_tx_bytes"));
}

TEST_F(Sensors, NetworkOfAContainerIsThatOfItsFirstProcess) {
  write_unified("/g");
  write("sys/fs/cgroup/g/cgroup.procs", "71\n72\n");
  write("proc/71/net/dev",
        "Inter-|   Receive                                                |  Transmit\n"
        " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets\n"
        "    lo:  999 1 0 0 0 0 0 0  999 1 0 0 0 0 0 0\n"
        "  eth0: 1500 9 0 0 0 0 0 0  250 3 0 0 0 0 0 0\n"
        "  eth1:    7 1 0 0 0 0 0 0    1 1 0 0 0 0 0 0\n");
  fs::create_directories(folder_ / "proc/71/ns");
  fs::create_directories(folder_ / "proc/self/ns");
  fs::create_symlink("net:[2]", folder_ / "proc/71/ns/net");
  fs::create_symlink("net:[1]", folder_ / "proc/self/ns/net");
  Found found = open({{"", "/g"}});
  EXPECT_EQ(values_of(found)[net_rx_bytes], 1507);
  EXPECT_EQ(values_of(found)[net_tx_bytes], 251);
  fs::remove(folder_ / "proc/self/ns/net");
  fs::create_symlink("net:[2]", folder_ / "proc/self/ns/net");
  Found ours = open({{"", "/g"}});
  EXPECT_THAT(values_of(ours)[net_rx_bytes], IsNan()) << "the machine's network";
}

TEST_F(Sensors, UnifiedGroupOfAnOldKernelLacksThePeak) {
  write_unified("/g");
  fs::remove(folder_ / "sys/fs/cgroup/g/memory.peak");
  write("sys/fs/cgroup/g/cpu.stat", "usage_usec 1\nuser_usec 1\nsystem_usec 0\n");
  Found found = open({{"", "/g"}});
  const auto values = values_of(found);
  EXPECT_THAT(values[memory_max_bytes], IsNan());
  EXPECT_THAT(values[cpu_throttled_seconds], IsNan()) << "no quota is no throttling that is known";
  EXPECT_EQ(values[memory_bytes], 700000);
}

TEST_F(Sensors, SplitGroupIsRead) {
  write_split("/docker/abc");
  Found found = open({{"cpuacct", "/docker/abc"},
                      {"cpu", "/docker/abc"},
                      {"memory", "/docker/abc"},
                      {"blkio", "/docker/abc"},
                      {"pids", "/docker/abc"}});
  EXPECT_EQ(found.source.kind, "cgroup v1");
  EXPECT_THAT(values_of(found), ElementsAre(DoubleEq(2.5), DoubleEq(0.04), 700000, 1500000, 8192,
                                            111, 3, IsNan(), IsNan()));
}

TEST_F(Sensors, SplitGroupWithoutCountedDevicesKnowsNoIo) {
  write_split("/docker/abc");
  write("sys/fs/cgroup/blkio/docker/abc/blkio.throttle.io_service_bytes", "Total 0\n");
  Found found = open({{"cpuacct", "/docker/abc"}, {"blkio", "/docker/abc"}});
  const auto values = values_of(found);
  EXPECT_THAT(values[io_read_bytes], IsNan());
  EXPECT_THAT(values[memory_bytes], IsNan()) << "the controller is not mounted";
}

TEST_F(Sensors, GroupThatIsNotThereIsUnavailable) {
  write("sys/fs/cgroup/cgroup.controllers", "cpu\n");
  const Found found = open({{"", "/gone"}});
  EXPECT_FALSE(found.sensor);
  EXPECT_THAT(found.source.unavailable, HasSubstr("No such file"));
}

TEST_F(Sensors, GroupsOfAProcessAreThoseOfItsFile) {
  write("proc/7/cgroup", "4:cpu,cpuacct:/a\n3:memory:/b:c\n1:name=systemd:/\n0::/u\n");
  const CgroupPaths expected = {
      {"cpu", "/a"}, {"cpuacct", "/a"}, {"memory", "/b:c"}, {"name=systemd", "/"}, {"", "/u"}};
  EXPECT_EQ(cgroup_paths(roots_, 7), expected);
  EXPECT_TRUE(cgroup_paths(roots_, 8).empty());
}

TEST_F(Sensors, SecondContainerIsFoundByTheFirst) {
  write_unified("/system.slice/docker-abc.scope");
  write_unified("/system.slice/docker-def.scope");
  write("proc/7/cgroup", "0::/system.slice/docker-abc.scope\n");
  CgroupFinder finder(roots_);
  EXPECT_FALSE(finder.known("def"));
  ASSERT_TRUE(finder.by_process("abc", 7));
  const CgroupPaths expected = {{"", "/system.slice/docker-def.scope"}};
  EXPECT_EQ(finder.known("def"), expected);
  EXPECT_FALSE(finder.known("ghi")) << "its folder is not there";
}

TEST_F(Sensors, ProcessOfAnotherMachineIsNotTakenForTheContainers) {
  write_unified("/system.slice/cron.service");
  write("proc/7/cgroup", "0::/system.slice/cron.service\n");
  CgroupFinder finder(roots_);
  EXPECT_FALSE(finder.by_process("abc", 7));
  EXPECT_FALSE(finder.by_process("abc", 8)) << "gone";
}

TEST_F(Sensors, RaplIsPackagesAndTheirMemory) {
  const std::string cap = "sys/class/powercap/";
  const auto zone = [&](const std::string& folder, const std::string& name, const char* energy) {
    write(cap + folder + "/name", name + "\n");
    write(cap + folder + "/energy_uj", energy);
    write(cap + folder + "/max_energy_range_uj", "262143328850\n");
  };
  zone("intel-rapl:0", "package-0", "1500000\n");
  zone("intel-rapl:0/intel-rapl:0:0", "core", "700000\n");
  zone("intel-rapl:0/intel-rapl:0:1", "dram", "250000\n");
  zone("intel-rapl:1", "package-1", "2500000\n");
  zone("intel-rapl:2", "psys", "9\n");
  zone("intel-rapl-mmio:0", "package-0", "1500000\n");
  Found found = open_rapl(roots_);
  EXPECT_THAT(names_of(found),
              ElementsAre("rapl.package-0", "rapl.package-0.dram", "rapl.package-1"));
  EXPECT_THAT(values_of(found), ElementsAre(1.5, 0.25, 2.5));
  EXPECT_DOUBLE_EQ(found.columns[0].wraps_at.value(), 262143.328850);
  EXPECT_TRUE(found.columns[0].counter);
}

TEST_F(Sensors, MachineWithoutRaplSaysSo) {
  const Found found = open_rapl(roots_);
  EXPECT_FALSE(found.sensor);
  EXPECT_THAT(found.source.unavailable, HasSubstr("no RAPL package"));
}

TEST_F(Sensors, RaplThatMayNotBeReadSaysWhichFile) {
  write("sys/class/powercap/intel-rapl:0/name", "package-0\n");
  fs::create_symlink("loop", folder_ / "sys/class/powercap/intel-rapl:0/loop");
  fs::create_symlink("loop", folder_ / "sys/class/powercap/intel-rapl:0/energy_uj");
  const Found found = open_rapl(roots_);
  EXPECT_FALSE(found.sensor);
  EXPECT_THAT(found.source.unavailable, HasSubstr("intel-rapl:0/energy_uj: "));
}

TEST_F(Sensors, TemperaturesAreThoseOfProcessorPackages) {
  const std::string hwmon = "sys/class/hwmon/";
  write(hwmon + "hwmon0/name", "nvme\n");
  write(hwmon + "hwmon0/temp1_input", "33000\n");
  write(hwmon + "hwmon1/name", "coretemp\n");
  write(hwmon + "hwmon1/temp1_label", "Package id 0\n");
  write(hwmon + "hwmon1/temp1_input", "61500\n");
  write(hwmon + "hwmon1/temp2_label", "Core 0\n");
  write(hwmon + "hwmon1/temp2_input", "60000\n");
  Found found = open_hwmon(roots_);
  EXPECT_THAT(names_of(found), ElementsAre("hwmon.coretemp.Package id 0"));
  EXPECT_THAT(values_of(found), ElementsAre(61.5));
}

TEST_F(Sensors, MachineWithoutTemperaturesSaysSo) {
  write("sys/class/hwmon/hwmon0/name", "nvme\n");
  EXPECT_THAT(open_hwmon(roots_).source.unavailable, HasSubstr("no processor's sensor"));
}

TEST_F(Sensors, TreeIsAProcessAndItsDescendantsWhateverTheirNames) {
  const auto process = [&](int pid, const std::string& name, int parent, int ticks) {
    const std::string times = std::to_string(ticks) + " 0 0 0";
    write("proc/" + std::to_string(pid) + "/stat",
          std::to_string(pid) + " (" + name + ") S " + std::to_string(parent) +
              " 1 1 0 -1 4194304 9 0 0 0 " + times + " 20 0 1 0 55 1000 2 18446744073709551615\n");
    write("proc/" + std::to_string(pid) + "/io", "rchar: 9\nread_bytes: 10\nwrite_bytes: 20\n");
  };
  process(10, "launch", 1, 100);
  process(11, "a) S 99 (b", 10, 200);
  process(12, "c", 11, 400);
  process(13, "other", 1, 800);
  write("proc/self/stat", "no process");
  Found found = open_process_tree({.roots = roots_, .root = 10, .source = "payload"});
  const double second = 1.0 / static_cast<double>(::sysconf(_SC_CLK_TCK));
  const double page = static_cast<double>(::sysconf(_SC_PAGESIZE));
  EXPECT_THAT(values_of(found), ElementsAre(DoubleEq(700 * second), IsNan(), 6 * page, IsNan(), 30,
                                            60, 3, IsNan(), IsNan()));
  fs::remove_all(folder_ / "proc/12");
  EXPECT_EQ(values_of(found)[cpu_seconds], 700 * second) << "a counter does not fall";
  for (const char* gone : {"proc/10", "proc/11"}) fs::remove_all(folder_ / gone);
  std::vector<double> values(found.columns.size());
  EXPECT_EQ(found.sensor->read(values), ESRCH);
}

// A shell whose child works until its input, ours, is closed.
class BusyShell {
 public:
  BusyShell() {
    int ends[2];
    EXPECT_EQ(::pipe(ends), 0);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::dup2(ends[0], 0);
      ::close(ends[1]);
      const char* work = "(while :; do :; done) & worker=$!; read end; kill -9 $worker; wait";
      ::execl("/bin/sh", "sh", "-c", work, nullptr);
      ::_exit(127);
    }
    ::close(ends[0]);
    input_ = ends[1];
  }
  ~BusyShell() {
    ::close(input_);
    ::waitpid(pid_, nullptr, 0);
  }
  BusyShell(const BusyShell&) = delete;
  BusyShell& operator=(const BusyShell&) = delete;
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = 0;
  int input_ = -1;
};

TEST_F(Sensors, TreeOfARealProcessCountsWhatItsChildTakes) {
  const BusyShell shell;
  Found found = open_process_tree({.roots = {}, .root = shell.pid(), .source = "payload"});
  const auto begin = std::chrono::steady_clock::now();
  std::vector<double> values = values_of(found);
  while (values[cpu_seconds] < 0.05 &&
         std::chrono::steady_clock::now() - begin < std::chrono::minutes(1))
    values = values_of(found);
  EXPECT_GE(values[cpu_seconds], 0.05);
  EXPECT_EQ(values[pids], 2);
}

}  // namespace
}  // namespace controller::telemetry
