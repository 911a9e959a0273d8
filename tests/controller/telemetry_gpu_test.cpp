// GPUs as sensors: by the stand-in library, with a kernel's folders of the test's own.
#include "controller/telemetry/gpu_sensors.hpp"

#include <gmock/gmock.h>

#include <cmath>
#include <filesystem>

#include "controller/gpu/bounded.hpp"
#include "controller/gpu/nvml.hpp"
#include "tests/support/controller/allocations.hpp"
#include "tests/support/controller/gpu_support.hpp"

namespace controller::telemetry {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::IsNan;
using testing::NvmlScript;

const char busy_gpu[] =
    "gpu 0 uuid=GPU-a total=100 used=40 temperature=41 power=70500 energy_step=1 sm=1980 "
    "memory_clock=2619 utilisation=37 reasons=72 thermal_rate=0 power_rate=0 slots=0\n";

class GpuSensors : public ::testing::Test {
 protected:
  GpuSensors() {
    request_.roots = {.proc = folder_.path(), .sys = "/absent"};
    request_.device.uuid = "GPU-a";
    request_.source = "gpu0";
    request_.processes = processes_;
    request_.clock = &campaign::system_clock();
    process(1, 0, "/init.scope");
  }
  void write(const std::string& script) { script_.becomes(script); }
  const GpuLibrary& library(const std::string& name = testing::stub_library) {
    if (!library_) library_ = std::make_unique<GpuLibrary>(name);
    while (!library_->answered()) std::this_thread::yield();
    return *library_;
  }
  Found open() { return library().open(request_); }
  static std::vector<double> read(Sensor& sensor) {
    std::vector<double> values(gpu_columns, std::nan(""));
    EXPECT_EQ(sensor.read(values), 0);
    return values;
  }
  std::vector<double> read() {
    Found found = open();
    EXPECT_TRUE(found.sensor) << found.source.unavailable;
    return read(*found.sensor);
  }
  // A process of the folder that stands for /proc.
  void process(int pid, int parent, const std::string& group) {
    const std::string folder = std::to_string(pid);
    std::filesystem::create_directories(folder_.path() + "/" + folder);
    folder_.write(folder + "/stat", folder + " (a ) b) S " + std::to_string(parent) + " 1 1");
    folder_.write(folder + "/cgroup", "0::" + group + "\n");
  }
  void know(std::vector<std::string> containers, int root = 0) {
    processes_->containers = std::move(containers);
    processes_->root = root;
    processes_->known = true;
  }

  testing::Folder folder_;
  NvmlScript script_{""};
  std::unique_ptr<GpuLibrary> library_;
  std::shared_ptr<RunProcesses> processes_ = std::make_shared<RunProcesses>();
  GpuRequest request_;
};

TEST_F(GpuSensors, EveryColumnHasWhatTheDriverTells) {
  write(busy_gpu);
  const std::vector<double> values = read();
  EXPECT_EQ(values[gpu_power_w], 70.5);
  EXPECT_EQ(values[gpu_temperature_c], 41);
  EXPECT_EQ(values[gpu_sm_clock_mhz], 1980);
  EXPECT_EQ(values[gpu_memory_clock_mhz], 2619);
  EXPECT_EQ(values[gpu_utilisation_pct], 37);
  EXPECT_EQ(values[gpu_memory_bytes], 40);
  EXPECT_GT(values[gpu_energy_j], 0);
  EXPECT_EQ(values[gpu_thermal_violation_s], 0);
  const Found found = open();
  EXPECT_EQ(found.source.device, "GPU-a");
  EXPECT_EQ(found.columns[gpu_energy_j].name, "gpu0.energy_j");
  for (const auto& column : found.columns) EXPECT_EQ(column.unavailable, "") << column.name;
}

TEST_F(GpuSensors, CausesThatHoldClocksDownAreTakenApart) {
  write(busy_gpu);  // 72 = hw_slowdown and hw_thermal
  const std::vector<double> values = read();
  EXPECT_EQ(values[gpu_hw_slowdown], 1);
  EXPECT_EQ(values[gpu_hw_thermal], 1);
  EXPECT_EQ(values[gpu_sw_thermal], 0);
  EXPECT_EQ(values[gpu_hw_power_brake], 0);
  EXPECT_EQ(values[gpu_sw_power_cap], 0);
}

TEST_F(GpuSensors, ColumnThatIsNotSupportedSaysWhyAndTheOthersAreRead) {
  write("gpu 0 uuid=GPU-a power=70500\nerror nvmlDeviceGetClockInfo 0 4\n");
  const Found found = open();
  EXPECT_EQ(found.columns[gpu_power_w].unavailable, "");
  EXPECT_EQ(found.columns[gpu_energy_j].unavailable,
            "nvmlDeviceGetTotalEnergyConsumption: Not Supported");
  EXPECT_EQ(found.columns[gpu_sm_clock_mhz].unavailable,
            "nvmlDeviceGetClockInfo: Insufficient Permissions");
  EXPECT_EQ(found.columns[gpu_hw_thermal].unavailable,
            "nvmlDeviceGetCurrentClocksEventReasons: Not Supported");
  const std::vector<double> values = read(*found.sensor);
  EXPECT_EQ(values[gpu_power_w], 70.5);
  EXPECT_TRUE(std::isnan(values[gpu_energy_j]));
  EXPECT_TRUE(std::isnan(values[gpu_hw_thermal]));
}

TEST_F(GpuSensors, InstanceHasItsOwnMemoryAndTheSensorsOfItsGpu) {
  write(
      "gpu 0 uuid=GPU-a total=100 used=40 power=70500 slots=3\n"
      "instance 0:1 uuid=MIG-b total=50 used=7\n");
  request_.device.uuid = "MIG-b";
  request_.device.parent = "GPU-a";
  const std::vector<double> values = read();
  EXPECT_EQ(values[gpu_power_w], 70.5);
  EXPECT_EQ(values[gpu_memory_bytes], 7);
  EXPECT_EQ(open().source.parent, "GPU-a");
}

TEST_F(GpuSensors, WhatCannotBeReadSaysWhy) {
  write(busy_gpu);
  request_.device.uuid = "GPU-z";
  EXPECT_EQ(open().source.unavailable, "NVML does not list it");
  request_.device.vendor = gpu::Device::Vendor::amd;
  EXPECT_EQ(open().source.unavailable, "no sensor reads GPUs of this vendor");
  request_.device.vendor = gpu::Device::Vendor::nvidia;
  library_.reset();
  EXPECT_THAT(library("/absent/nvml.so").open(request_).source.unavailable,
              HasSubstr("NVML: /absent/nvml.so"));
  library_.reset();
  write(std::string(busy_gpu) + "error nvmlInit_v2 * 9\n");
  EXPECT_EQ(open().source.unavailable, "NVML: nvmlInit_v2: Driver Not Loaded");
}

TEST_F(GpuSensors, GpuThatIsLostIsAnError) {
  write(busy_gpu);
  const Found found = open();
  write("gpu 0 uuid=GPU-a\n");
  std::vector<double> values(gpu_columns, std::nan(""));
  EXPECT_EQ(found.sensor->read(values), EIO);
  EXPECT_THAT(values, Each(IsNan()));
}

TEST_F(GpuSensors, LibraryThatHangsWhenItIsOpenedHoldsNobody) {
  write("hang nvmlInit_v2\n");
  const GpuLibrary hanging(testing::stub_library);
  EXPECT_FALSE(hanging.answered());
  EXPECT_EQ(hanging.open(request_).source.unavailable, "NVML did not answer");
}

TEST_F(GpuSensors, LibraryThatWouldHangWhenItIsClosedHoldsNobody) {
  write(busy_gpu);
  auto held = std::make_shared<Found>(open());
  std::shared_ptr<GpuLibrary> last = std::move(library_);
  write(std::string(busy_gpu) + "hang nvmlShutdown\n");
  auto let_go = [held = std::move(held), last = std::move(last)]() mutable {
    held.reset();
    last.reset();
    return true;
  };
  EXPECT_TRUE(gpu::within(30, std::move(let_go)));
}

TEST_F(GpuSensors, WhileOneReadingHangsTheOthersSayThatTheLibraryIsBusy) {
  write(std::string(busy_gpu) + "gpu 1 uuid=GPU-b power=1\n");
  const std::shared_ptr<Sensor> first = open().sensor;
  request_.device.uuid = "GPU-b";
  const std::shared_ptr<Sensor> second = open().sensor;
  write(std::string(busy_gpu) + "gpu 1 uuid=GPU-b power=1\nhang nvmlDeviceGetPowerUsage 0\n");
  std::thread([first] {
    std::vector<double> values(gpu_columns);
    while (first->read(values) == EBUSY) continue;
  }).detach();
  std::vector<double> values(gpu_columns);
  const auto begin = std::chrono::steady_clock::now();
  while (second->read(values) != EBUSY)
    ASSERT_LT(std::chrono::steady_clock::now() - begin, std::chrono::minutes(1));
}

TEST_F(GpuSensors, ProcessesAreThoseOfTheRunsContainersOrOfOthers) {
  write(std::string(busy_gpu) + "process 0 pid=11\nprocess 0 pid=12\nprocess 0 pid=13\n" +
        "process 0 pid=14\nprocess 0 pid=15 graphics=1\n");
  process(11, 1, "/docker/0123abcd");
  process(12, 1, "/system.slice/docker-4567ef.scope");
  process(13, 1, "/user.slice");
  process(15, 1, "/user.slice");
  Found found = open();
  EXPECT_TRUE(std::isnan(read(*found.sensor)[gpu_processes_own])) << "whose is not known yet";
  know({"0123abcd", "4567ef"});
  const std::vector<double> values = read(*found.sensor);
  EXPECT_EQ(values[gpu_processes_own], 2);
  EXPECT_EQ(values[gpu_processes_foreign], 1) << "one has ended, and one only draws";
}

TEST_F(GpuSensors, ProcessesOfALocalRunDescendFromItsLauncher) {
  write(std::string(busy_gpu) + "process 0 pid=11\nprocess 0 pid=12\nprocess 0 pid=13\n");
  process(10, 5, "/");
  process(11, 10, "/");
  process(12, 11, "/");
  process(13, 5, "/");
  know({}, 10);
  const std::vector<double> values = read();
  EXPECT_EQ(values[gpu_processes_own], 2);
  EXPECT_EQ(values[gpu_processes_foreign], 1);
}

// As with hidepid=1, where they are there and may not be read: here they are folders.
TEST_F(GpuSensors, ProcessThatMayNotBeLookedAtIsNeitherGoneNorNobodys) {
  write(std::string(busy_gpu) + "process 0 pid=11\n");
  for (const char* file : {"/11/stat", "/11/cgroup"})
    std::filesystem::create_directories(folder_.path() + file);
  know({"0123abcd"});
  const std::vector<double> values = read();
  EXPECT_TRUE(std::isnan(values[gpu_processes_own]));
  EXPECT_TRUE(std::isnan(values[gpu_processes_foreign]));
}

// As with hidepid=2: what is not ours is not there, nor is the first process.
TEST_F(GpuSensors, WhereProcIsHiddenOthersAreUnknownAndTheRunsOwnAreCounted) {
  std::filesystem::remove_all(folder_.path() + "/1");
  write(std::string(busy_gpu) + "process 0 pid=11\nprocess 0 pid=12\n");
  know({"0123abcd"});
  Found found = open();
  EXPECT_THAT(found.columns[gpu_processes_foreign].unavailable, HasSubstr("hidepid"));
  EXPECT_TRUE(std::isnan(read(*found.sensor)[gpu_processes_own])) << "11 may be the run's";
  process(11, 1, "/docker/0123abcd");
  const std::vector<double> values = read(*found.sensor);
  EXPECT_EQ(values[gpu_processes_own], 1);
  EXPECT_TRUE(std::isnan(values[gpu_processes_foreign])) << "12 may be anybody's";
  processes_->root = 10;
  process(11, 9, "/");
  EXPECT_TRUE(std::isnan(read()[gpu_processes_own])) << "who is between 11 and 10 is hidden";
}

TEST_F(GpuSensors, ProcessesOfALaunchedRunAreNotOthersUntilOneOfItsOwnIsSeen) {
  write(std::string(busy_gpu) + "process 0 pid=11\n");
  process(11, 1, "/docker/0123abcd");
  processes_->elsewhere = true;
  know({}, 10);
  Found found = open();
  std::vector<double> values = read(*found.sensor);
  EXPECT_TRUE(std::isnan(values[gpu_processes_own])) << "11 may be of a daemon that was asked";
  EXPECT_TRUE(std::isnan(values[gpu_processes_foreign]));
  write(std::string(busy_gpu) + "process 0 pid=11\nprocess 0 pid=12\n");
  process(12, 10, "/");
  values = read(*found.sensor);
  EXPECT_EQ(values[gpu_processes_own], 1);
  EXPECT_EQ(values[gpu_processes_foreign], 1) << "its processes do descend from its launcher";
  write(busy_gpu);
  EXPECT_EQ(read()[gpu_processes_foreign], 0) << "nobody is there at all";
}

TEST_F(GpuSensors, OnceTheRunWasSeenProcessesAreLookedAtOnceASecond) {
  write(std::string(busy_gpu) + "process 0 pid=13\n");
  process(11, 1, "/docker/0123abcd");
  process(13, 1, "/");
  know({"0123abcd"});
  Found found = open();
  EXPECT_EQ(read(*found.sensor)[gpu_processes_own], 0);
  write(std::string(busy_gpu) + "process 0 pid=11\n");
  EXPECT_EQ(read(*found.sensor)[gpu_processes_own], 1) << "at once, as it was not seen before";
  write(busy_gpu);
  EXPECT_EQ(read(*found.sensor)[gpu_processes_own], 1) << "the last look stands";
}

TEST_F(GpuSensors, NumbersOfAnotherNamespaceOfProcessesAreNotCompared) {
  write(std::string(busy_gpu) + "process 0 pid=13\n");
  process(13, 1, "/");
  std::filesystem::create_directories(folder_.path() + "/self/ns");
  std::filesystem::create_symlink("pid:[4026532001]", folder_.path() + "/self/ns/pid");
  know({"0123abcd"});
  Found found = open();
  EXPECT_THAT(found.columns[gpu_processes_foreign].unavailable, HasSubstr("namespace"));
  EXPECT_TRUE(std::isnan(read(*found.sensor)[gpu_processes_foreign]));
}

// The stand-in allocates, so its calls are made once more without the sensor.
TEST_F(GpuSensors, ReadingAllocatesNoMoreThanTheLibraryDoes) {
  if (!testing::allocations_are_counted) GTEST_SKIP() << "a sanitizer allocates by itself";
  write(std::string(busy_gpu) + "process 0 pid=11\n");
  process(11, 1, "/docker/0123abcd");
  know({"0123abcd"});
  const Found found = open();
  std::vector<double> values(gpu_columns);
  const auto opened = gpu::Nvml::open(testing::stub_library);
  const auto device = *opened.nvml->device(0);
  std::array<std::uint32_t, 8> pids{};
  std::size_t count = 0;
  for (int round = 0; round < 2; ++round) {
    std::size_t before = testing::allocations_of_this_thread();
    found.sensor->read(values);
    const std::size_t by_sensor = testing::allocations_of_this_thread() - before;
    before = testing::allocations_of_this_thread();
    double value = 0;
    using Sample = gpu::Nvml::Sample;
    for (const Sample sample :
         {Sample::power_w, Sample::energy_j, Sample::temperature_c, Sample::sm_clock_mhz,
          Sample::memory_clock_mhz, Sample::utilisation_pct, Sample::memory_bytes,
          Sample::clock_events, Sample::thermal_violation_s, Sample::power_violation_s})
      opened.nvml->sample(sample, device, value);
    if (round == 0) opened.nvml->compute_pids(device, pids, count);
    EXPECT_EQ(by_sensor, testing::allocations_of_this_thread() - before) << round;
  }
}

}  // namespace
}  // namespace controller::telemetry
