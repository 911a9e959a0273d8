#include "tests/support/controller/gpu_support.hpp"

#include <cstdlib>
#include <filesystem>

namespace controller::testing {

const char two_gpus[] =
    "driver 550.54.15\n"
    "cuda 12040\n"
    "gpu 0 uuid=GPU-8f1e0000 minor=1 total=85899345920 used=1288490189 temperature=41 power=70500 "
    "slots=0 name=NVIDIA H100 80GB HBM3\n"
    "gpu 1 uuid=GPU-0c2d0000 minor=0 total=42949672960 used=536870912 temperature=35 power=52000 "
    "slots=3 name=NVIDIA A100-SXM4-40GB\n"
    "instance 1:0 uuid=MIG-aaaa total=5100273664 used=13631488 name=NVIDIA A100 MIG 1g.5gb\n"
    "instance 1:2 uuid=MIG-bbbb total=10468982784 used=13631488 name=NVIDIA A100 MIG 2g.10gb\n";

NvmlScript::NvmlScript(const std::string& text) {
  folder_.write("nvml.script", text);
  setenv("NVML_STUB", path().c_str(), 1);
}

void NvmlScript::becomes(const std::string& text) const {
  folder_.write("nvml.script.new", text);
  std::filesystem::rename(path() + ".new", path());
}

NvmlScript::~NvmlScript() { unsetenv("NVML_STUB"); }

gpu::Inventory discovered(const std::string& library, double patience) {
  return gpu::discover({.nvml = library,
                        .nvidia_smi = "/absent/nvidia-smi",
                        .sysfs = "/absent",
                        .patience = patience});
}

std::vector<gpu::Device> made_devices(const std::vector<std::string>& uuids) {
  std::vector<gpu::Device> devices;
  std::size_t whole = 0, parent = 0, slot = 0;
  for (const std::string& uuid : uuids) {
    gpu::Device device;
    device.uuid = uuid;
    if (uuid.starts_with("MIG-")) {
      devices[parent].mig = true;
      device.parent = devices[parent].uuid;
      device.index = devices[parent].index + ":" + std::to_string(slot++);
    } else {
      parent = devices.size();
      slot = 0;
      device.index = std::to_string(whole++);
    }
    devices.push_back(device);
  }
  return devices;
}

std::vector<std::string> uuids_of(const std::vector<gpu::Device>& devices) {
  std::vector<std::string> uuids;
  for (const gpu::Device& device : devices) uuids.push_back(device.uuid);
  return uuids;
}

}  // namespace controller::testing
