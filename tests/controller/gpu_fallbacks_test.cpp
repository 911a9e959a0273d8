#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "controller/gpu/nvidia_smi.hpp"
#include "tests/support/controller/gpu_support.hpp"

namespace controller {
namespace {

using gpu::Device;
using gpu::Place;
using ::testing::ElementsAre;
using testing::Folder;
using ::testing::HasSubstr;

constexpr char gpu_lines[] =
    "0, GPU-8f1e0000, 81559, 1229, 41, 70.50, Disabled, 550.54.15, NVIDIA H100, 80GB\n"
    "1, GPU-0c2d0000, 40960, 512, [N/A], [Not Supported], Enabled, 550.54.15, NVIDIA A100\n"
    "garbage\n";
constexpr char process_lines[] =
    "GPU-8f1e0000, 999999999, 500\n"
    "GPU-8f1e0000, 999999998, [N/A]\n";
constexpr char list_lines[] =
    "GPU 0: NVIDIA H100, 80GB (UUID: GPU-8f1e0000)\n"
    "GPU 1: NVIDIA A100 (UUID: GPU-0c2d0000)\n"
    "  MIG 1g.5gb      Device  0: (UUID: MIG-aaaa)\n"
    "  MIG 2g.10gb     Device  1: (UUID: MIG-bbbb)\n";

TEST(NvidiaSmi, ItsLinesBecomeDevices) {
  gpu::Reading<std::string> driver;
  const auto devices =
      gpu::smi_devices({.gpus = gpu_lines, .processes = process_lines, .list = list_lines}, driver);
  EXPECT_EQ(*driver, "550.54.15");
  EXPECT_THAT(testing::uuids_of(devices),
              ElementsAre("GPU-8f1e0000", "GPU-0c2d0000", "MIG-aaaa", "MIG-bbbb"));
  EXPECT_EQ(devices[0].name, "NVIDIA H100, 80GB");
  EXPECT_EQ(devices[0].memory->total, 81559ULL * 1024 * 1024);
  EXPECT_EQ(*devices[0].temperature, 41);
  EXPECT_DOUBLE_EQ(*devices[0].power, 70.5);
  ASSERT_EQ(devices[0].processes->size(), 2U);
  EXPECT_EQ(*devices[0].processes->at(0).memory, 500ULL * 1024 * 1024);
  EXPECT_EQ(devices[0].processes->at(1).memory.why, "nvidia-smi: [N/A]");
  EXPECT_TRUE(devices[1].mig);
  EXPECT_EQ(devices[1].temperature.why, "nvidia-smi: [N/A]");
  EXPECT_EQ(devices[1].power.why, "nvidia-smi: [Not Supported]");
  EXPECT_EQ(devices[3].index, "1:1");
  EXPECT_EQ(devices[3].parent, "GPU-0c2d0000");
  EXPECT_EQ(devices[3].name, "NVIDIA A100 MIG 2g.10gb");
}

// A program in a folder of its own that answers as it is scripted.
class SmiStub {
 public:
  explicit SmiStub(const std::string& script)
      : path_(folder_.write("nvidia-smi", "#!/bin/sh\n" + script)) {
    chmod(path_.c_str(), 0755);
  }
  gpu::Inventory discovered(double patience) const {
    return gpu::discover({.nvml = "/absent/libnvidia-ml.so.1",
                          .nvidia_smi = path_,
                          .sysfs = "/absent",
                          .patience = patience});
  }

 private:
  Folder folder_;
  std::string path_;
};

TEST(NvidiaSmi, IsAskedWhereTheLibraryCannotBeLoaded) {
  const SmiStub stub(std::string("case $1 in\n--query-gpu*) printf '") + gpu_lines +
                     "';;\n--query-compute*) printf '" + process_lines + "';;\n-L) printf '" +
                     list_lines + "';;\nesac\n");
  const gpu::Inventory found = stub.discovered(30);
  EXPECT_EQ(found.devices.size(), 4U);
  EXPECT_EQ(*found.driver_version, "550.54.15");
  EXPECT_EQ(found.cuda_version.why, "nvidia-smi's queries do not tell it");
  EXPECT_EQ(found.places.at(1).answer, Place::Answer::devices);
}

TEST(NvidiaSmi, ItsFailureIsToldInItsOwnWords) {
  const SmiStub stub(
      "echo 'Failed to initialize NVML: Driver/library version mismatch'\nexit 18\n");
  const gpu::Inventory found = stub.discovered(30);
  EXPECT_EQ(found.places.at(1).answer, Place::Answer::fault);
  EXPECT_EQ(found.places.at(1).finding,
            "exit code 18: Failed to initialize NVML: Driver/library version mismatch");
}

TEST(NvidiaSmi, OneThatHangsIsKilledAfterItsBound) {
  const gpu::Inventory found = SmiStub("exec sleep 600\n").discovered(0.2);
  EXPECT_EQ(found.places.at(1).answer, Place::Answer::fault);
  EXPECT_EQ(found.places.at(1).finding, "did not answer within 0.2 s");
}

// Two GPUs as amdgpu shows them, the second without an id of its own, after a node of processors.
class AmdHost {
 public:
  AmdHost() {
    node("0", "0", "simd_count 0\n");
    node("1", "4711",
         "simd_count 440\nunique_id 11400714819323198485\ndrm_render_minor 128\n"
         "device_id 29711\nlocation_id 768\ndomain 0\n");
    node("10", "4712",
         "simd_count 32\nunique_id 0\ndrm_render_minor 129\ndevice_id 29772\n"
         "location_id 33288\ndomain 1\n");
    const std::string first = "class/drm/renderD128/device/";
    folder_.write(first + "product_name", "AMD Instinct MI250X\n");
    folder_.write(first + "mem_info_vram_total", "68702699520\n");
    folder_.write(first + "mem_info_vram_used", "10960896\n");
    folder_.write(first + "hwmon/hwmon4/temp1_input", "43000\n");
    folder_.write(first + "hwmon/hwmon4/power1_average", "92500000\n");
    folder_.write("class/kfd/kfd/proc/999999999/vram_4711", "4096\n");
    folder_.write("class/kfd/kfd/proc/999999999/vram_4712", "0\n");
  }
  std::vector<Device> devices() const { return gpu::amd_devices(folder_.path(), places_); }
  const std::vector<Place>& places() const { return places_; }

 private:
  void node(const std::string& number, const std::string& gpu_id, const std::string& properties) {
    const std::string folder = "class/kfd/kfd/topology/nodes/" + number;
    folder_.write(folder + "/gpu_id", gpu_id + "\n");
    folder_.write(folder + "/properties", properties);
  }
  Folder folder_;
  mutable std::vector<Place> places_;
};

TEST(Amd, GpusAreReadFromSysfs) {
  const AmdHost host;
  const auto devices = host.devices();
  EXPECT_THAT(testing::uuids_of(devices), ElementsAre("GPU-9e3779b97f4a7c15", "PCI-0001:82:01.0"));
  EXPECT_EQ(devices[0].vendor, Device::Vendor::amd);
  EXPECT_EQ(devices[0].name, "AMD Instinct MI250X");
  EXPECT_EQ(devices[0].memory->total, 68702699520U);
  EXPECT_EQ(devices[0].memory->used, 10960896U);
  EXPECT_EQ(*devices[0].temperature, 43);
  EXPECT_DOUBLE_EQ(*devices[0].power, 92.5);
  EXPECT_EQ(devices[0].minor, 0);
  ASSERT_EQ(devices[0].processes->size(), 1U);
  EXPECT_EQ(*devices[0].processes->at(0).memory, 4096U);
  EXPECT_EQ(host.places().at(0).finding, "2 GPUs");
}

TEST(Amd, WhatIsNotToldIsUnavailableWithThePathThatWasLookedAt) {
  const AmdHost host;
  const Device second = host.devices().at(1);
  EXPECT_EQ(second.index, "1");
  EXPECT_EQ(second.name, "AMD GPU 0x744c");
  EXPECT_THAT(second.memory.why, HasSubstr("renderD129/device/mem_info_vram_total"));
  EXPECT_THAT(second.temperature.why, HasSubstr("renderD129/device/hwmon has none"));
  EXPECT_TRUE(second.processes->empty());
}

TEST(Amd, CardsWithoutAComputeDriverAreAFault) {
  const Folder folder;
  folder.write("class/drm/renderD128/device/vendor", "0x1002\n");
  folder.write("class/drm/renderD129/device/vendor", "0x10de\n");
  std::vector<Place> places;
  EXPECT_TRUE(gpu::amd_devices(folder.path(), places).empty());
  EXPECT_EQ(places.at(0).answer, Place::Answer::fault);
  EXPECT_THAT(places.at(0).finding, HasSubstr("but 1 AMD GPU below"));
}

}  // namespace
}  // namespace controller
