#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "controller/gpu/bounded.hpp"
#include "tests/support/controller/gpu_support.hpp"

namespace controller {
namespace {

using gpu::Device;
using gpu::Place;
using testing::discovered;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::NvmlScript;
using testing::old_stub_library;
using testing::stub_library;
using testing::two_gpus;

TEST(Nvml, DevicesHaveWhatTheDriverTells) {
  const NvmlScript script(two_gpus);
  const gpu::Inventory found = discovered(stub_library);
  EXPECT_EQ(*found.driver_version, "550.54.15");
  EXPECT_EQ(*found.cuda_version, "12.4");
  const Device& first = found.devices.at(0);
  EXPECT_EQ(first.index, "0");
  EXPECT_EQ(first.minor, 1);
  EXPECT_EQ(first.uuid, "GPU-8f1e0000");
  EXPECT_EQ(first.name, "NVIDIA H100 80GB HBM3");
  EXPECT_EQ(first.memory->total, 85899345920U);
  EXPECT_EQ(first.memory->used, 1288490189U);
  EXPECT_EQ(*first.temperature, 41);
  EXPECT_DOUBLE_EQ(*first.power, 70.5);
  EXPECT_FALSE(first.mig);
  EXPECT_TRUE(first.processes->empty());
  EXPECT_EQ(found.places.at(0).finding, "2 GPUs, 2 MIG instances");
}

TEST(Nvml, MigInstancesStandAfterTheirGpuAndEmptySlotsAreLeftOut) {
  const NvmlScript script(two_gpus);
  const gpu::Inventory found = discovered(stub_library);
  EXPECT_THAT(testing::uuids_of(found.devices),
              ElementsAre("GPU-8f1e0000", "GPU-0c2d0000", "MIG-aaaa", "MIG-bbbb"));
  EXPECT_TRUE(found.devices[1].mig);
  const Device& last = found.devices[3];
  EXPECT_EQ(last.index, "1:2");
  EXPECT_EQ(last.parent, "GPU-0c2d0000");
  EXPECT_EQ(last.name, "NVIDIA A100 MIG 2g.10gb");
  EXPECT_EQ(last.memory->total, 10468982784U);
  EXPECT_FALSE(last.temperature);
}

TEST(Nvml, ProcessesAreNamedFromProcAndOneOfBothKindsCountsOnce) {
  const std::string own = std::to_string(getpid());
  const NvmlScript script(std::string(two_gpus) + "process 0 pid=" + own + " memory=1048576\n" +
                          "process 0 pid=" + own + " graphics=1 memory=5\n" +
                          "process 0 pid=999999999\nprocess 1:2 pid=7 memory=9\n");
  const gpu::Inventory found = discovered(stub_library);
  const auto& processes = *found.devices[0].processes;
  ASSERT_EQ(processes.size(), 2U);
  EXPECT_EQ(processes[0].pid, getpid());
  EXPECT_THAT(processes[0].name, HasSubstr("controller_test"));
  EXPECT_NE(processes[0].user, "");
  EXPECT_EQ(*processes[0].memory, 1048576U);
  EXPECT_EQ(processes[1].name, "");
  EXPECT_EQ(processes[1].memory.why, "the driver does not account for it");
  EXPECT_EQ(found.devices[3].processes->at(0).pid, 7);
}

TEST(Nvml, ManyProcessesAreAllListed) {
  std::string text = two_gpus;
  for (int i = 0; i < 200; ++i)
    text += "process 0 pid=" + std::to_string(900000000 + i) + " memory=1\n";
  const NvmlScript script(text);
  EXPECT_EQ(discovered(stub_library).devices[0].processes->size(), 200U);
}

TEST(Nvml, AReadingThatFailsIsUnavailableWithItsReasonAndTheOthersStand) {
  const NvmlScript script(std::string(two_gpus) +
                          "error nvmlDeviceGetTemperature 0 3\n"
                          "error nvmlDeviceGetComputeRunningProcesses * 4\n"
                          "error nvmlDeviceGetMemoryInfo 0 15\n");
  const Device first = discovered(stub_library).devices.at(0);
  EXPECT_FALSE(first.temperature);
  EXPECT_EQ(first.temperature.why, "nvmlDeviceGetTemperature: Not Supported");
  EXPECT_EQ(first.processes.why, "nvmlDeviceGetComputeRunningProcesses: Insufficient Permissions");
  EXPECT_EQ(first.memory.why, "nvmlDeviceGetMemoryInfo: GPU is lost");
  EXPECT_DOUBLE_EQ(*first.power, 70.5);
}

TEST(Nvml, AGpuThatIsLostIsToldAndTheOthersAreFound) {
  const NvmlScript script(std::string(two_gpus) + "error nvmlDeviceGetHandleByIndex_v2 0 15\n");
  const gpu::Inventory found = discovered(stub_library);
  EXPECT_EQ(found.devices.at(0).uuid, "GPU-0c2d0000");
  ASSERT_EQ(found.places.at(1).answer, Place::Answer::fault);
  EXPECT_EQ(found.places.at(1).name, "GPU 0");
  EXPECT_EQ(found.places.at(1).finding, "nvmlDeviceGetHandleByIndex_v2: GPU is lost");
}

TEST(Nvml, ADriverThatCannotBeInitialisedIsAFaultAndNvidiaSmiIsNotAsked) {
  const NvmlScript script("error nvmlInit_v2 * 18\n");
  const gpu::Inventory found = discovered(stub_library);
  EXPECT_TRUE(found.devices.empty());
  EXPECT_EQ(found.places.at(0).answer, Place::Answer::fault);
  EXPECT_EQ(found.places.at(0).finding, "loaded, but nvmlInit_v2: Driver/library version mismatch");
  EXPECT_EQ(found.places.at(1).name, "/absent/class/kfd");
}

TEST(Nvml, ADriverThatHangsIsLeftAloneAfterItsBound) {
  for (const char* call : {"nvmlInit_v2", "nvmlDeviceGetMemoryInfo"}) {
    const NvmlScript script(std::string(two_gpus) + "hang " + call + "\n");
    const gpu::Inventory found = discovered(stub_library, 0.1);
    EXPECT_TRUE(found.devices.empty());
    EXPECT_EQ(found.places.at(0).answer, Place::Answer::fault);
    EXPECT_THAT(found.places.at(0).finding, HasSubstr("did not answer within 0.1 s"));
  }
}

TEST(Nvml, AnOldDriversLibraryServesWhatItHas) {
  const NvmlScript script(std::string(two_gpus) + "process 0 pid=999999999 memory=3\n");
  const Device first = discovered(old_stub_library).devices.at(0);
  EXPECT_EQ(first.processes->at(0).pid, 999999999);
  EXPECT_EQ(first.temperature.why, "nvmlDeviceGetTemperature: not in this driver's library");
  EXPECT_EQ(first.power.why, "nvmlDeviceGetPowerUsage: not in this driver's library");
}

TEST(Nvml, WhatCannotBeLoadedSaysWhyAndWhatElseWasAsked) {
  const gpu::Inventory found = discovered("/absent/libnvidia-ml.so.1");
  ASSERT_EQ(found.places.size(), 3U);
  EXPECT_EQ(found.places[0].answer, Place::Answer::nothing);
  EXPECT_THAT(found.places[0].finding, HasSubstr("No such file"));
  EXPECT_EQ(found.places[1].finding, "not installed");
  EXPECT_EQ(found.places[2].finding, "is not there: no AMD compute driver");
  EXPECT_FALSE(found.driver_version);
}

TEST(Nvml, ReadingsAreTakenAnewAtEachCall) {
  const NvmlScript script(two_gpus);
  const gpu::Nvml::Opened opened = gpu::Nvml::open(stub_library);
  ASSERT_NE(opened.nvml, nullptr) << opened.why;
  const auto first = opened.nvml->device(0);
  EXPECT_EQ(*opened.nvml->temperature(*first), 41);
  const NvmlScript hotter("gpu 0 uuid=GPU-8f1e0000 temperature=77\n");
  EXPECT_EQ(*opened.nvml->temperature(*first), 77);
}

TEST(Nvml, TellsHowAGpuIsSetUpAndWhyNotWhereItDoesNot) {
  const NvmlScript script(
      "gpu 0 uuid=GPU-a set_limit=350000 default_limit=700000 persistence=1 ecc=0 "
      "max_graphics=1980 max_memory=2619 app_memory=2600\n");
  const gpu::Nvml::Opened opened = gpu::Nvml::open(stub_library);
  ASSERT_NE(opened.nvml, nullptr) << opened.why;
  const gpu::Nvml& nvml = *opened.nvml;
  const gpu::Nvml::Handle first = *nvml.device(0);
  EXPECT_DOUBLE_EQ(*nvml.set_power_limit(first), 350);
  EXPECT_DOUBLE_EQ(*nvml.default_power_limit(first), 700);
  EXPECT_TRUE(*nvml.persistence(first));
  EXPECT_FALSE(*nvml.ecc(first));
  EXPECT_EQ(*nvml.max_clock(first, gpu::Nvml::Domain::graphics), 1980U);
  EXPECT_EQ(*nvml.max_clock(first, gpu::Nvml::Domain::memory), 2619U);
  EXPECT_EQ(*nvml.application_clock(first, gpu::Nvml::Domain::memory), 2600U);
  EXPECT_EQ(nvml.application_clock(first, gpu::Nvml::Domain::graphics).why,
            "nvmlDeviceGetApplicationsClock: Not Supported");
  const gpu::Nvml::Opened old = gpu::Nvml::open(old_stub_library);
  EXPECT_EQ(old.nvml->persistence(*old.nvml->device(0)).why,
            "nvmlDeviceGetPersistenceMode: not in this driver's library");
}

TEST(Within, GivesTheAnswerOrWhatWasThrown) {
  EXPECT_EQ(gpu::within(30, [] { return 7; }), 7);
  EXPECT_THROW(gpu::within(30, []() -> int { throw std::runtime_error("no"); }),
               std::runtime_error);
}

gpu::Nvml::Handle first_device(const gpu::Nvml& nvml) { return *nvml.device(0); }

// The value, or why there is none.
std::string sampled(const gpu::Nvml& nvml, gpu::Nvml::Sample what) {
  double value = 0;
  const int code = nvml.sample(what, first_device(nvml), value);
  return code == 0 ? std::to_string(value) : nvml.why(what, code);
}

TEST(Nvml, SamplesAreInTheUnitsOfTheirNames) {
  const NvmlScript script(
      "gpu 0 uuid=GPU-a total=100 used=40 temperature=41 power=70500 energy_step=1000 "
      "energy_start=5000000000 sm=1980 memory_clock=2619 utilisation=37 reasons=72 "
      "thermal_rate=0 power_rate=0\n");
  const auto opened = gpu::Nvml::open(stub_library);
  ASSERT_TRUE(opened.nvml) << opened.why;
  using Sample = gpu::Nvml::Sample;
  EXPECT_EQ(sampled(*opened.nvml, Sample::power_w), "70.500000");
  EXPECT_EQ(sampled(*opened.nvml, Sample::temperature_c), "41.000000");
  EXPECT_EQ(sampled(*opened.nvml, Sample::sm_clock_mhz), "1980.000000");
  EXPECT_EQ(sampled(*opened.nvml, Sample::memory_clock_mhz), "2619.000000");
  EXPECT_EQ(sampled(*opened.nvml, Sample::utilisation_pct), "37.000000");
  EXPECT_EQ(sampled(*opened.nvml, Sample::memory_bytes), "40.000000");
  EXPECT_EQ(sampled(*opened.nvml, Sample::clock_events), "72.000000");
  EXPECT_EQ(sampled(*opened.nvml, Sample::thermal_violation_s), "0.000000");
  double joules = 0;
  EXPECT_EQ(opened.nvml->sample(Sample::energy_j, first_device(*opened.nvml), joules), 0);
  EXPECT_GE(joules, 5'000'000) << "beyond 32 bits of millijoules";
}

TEST(Nvml, EachSampleThatIsNotThereSaysWhy) {
  const NvmlScript script("gpu 0 uuid=GPU-a reasons=4\nerror nvmlDeviceGetPowerUsage 0 15\n");
  const auto now = gpu::Nvml::open(stub_library), old = gpu::Nvml::open(old_stub_library);
  using Sample = gpu::Nvml::Sample;
  EXPECT_EQ(sampled(*now.nvml, Sample::power_w), "nvmlDeviceGetPowerUsage: GPU is lost");
  EXPECT_EQ(sampled(*now.nvml, Sample::energy_j),
            "nvmlDeviceGetTotalEnergyConsumption: Not Supported");
  EXPECT_EQ(sampled(*now.nvml, Sample::power_violation_s),
            "nvmlDeviceGetViolationStatus: Not Supported");
  EXPECT_EQ(sampled(*old.nvml, Sample::power_w),
            "nvmlDeviceGetPowerUsage: not in this driver's library");
  EXPECT_EQ(sampled(*old.nvml, Sample::clock_events), "4.000000") << "by the name of before";
}

TEST(Nvml, ComputeProcessesFillTheRoomThatTheyAreGiven) {
  const NvmlScript script(
      "gpu 0 uuid=GPU-a\nprocess 0 pid=11\nprocess 0 pid=12 memory=5\n"
      "process 0 pid=13 graphics=1\nprocess 0 pid=14 until=1\n");
  const auto opened = gpu::Nvml::open(stub_library);
  std::array<std::uint32_t, 2> pids{};
  std::size_t count = 0;
  const auto device = first_device(*opened.nvml);
  ASSERT_EQ(opened.nvml->compute_pids(device, pids, count), 0);
  EXPECT_EQ(count, 2u);
  EXPECT_THAT(pids, ElementsAre(11, 12));
  const int code = opened.nvml->compute_pids(device, std::span(pids).first(1), count);
  EXPECT_EQ(opened.nvml->why_no_pids(code),
            "nvmlDeviceGetComputeRunningProcesses: Insufficient Size");
  EXPECT_EQ(count, 0u);
}

}  // namespace
}  // namespace controller
