// Hosts with GPUs, for tests: scripts of the stand-in library (tests/support/nvml/nvml_stub.cpp),
// and devices made in memory.
#pragma once

#include <string>

#include "controller/gpu/discover.hpp"
#include "tests/support/controller/cli_fixture.hpp"

namespace controller::testing {

// The script of the stand-in library while this object lives.
class NvmlScript {
 public:
  explicit NvmlScript(const std::string& text);
  ~NvmlScript();
  NvmlScript(const NvmlScript&) = delete;
  NvmlScript& operator=(const NvmlScript&) = delete;
  // From now on, at once: calls that are under way read the one or the other.
  void becomes(const std::string& text) const;
  std::string path() const { return folder_.path() + "/nvml.script"; }
  std::string folder() const { return folder_.path(); }

 private:
  Folder folder_;
};

inline constexpr char stub_library[] = NVML_STUB_DIR "/nvml/libnvidia-ml.so.1";
inline constexpr char old_stub_library[] = NVML_STUB_DIR "/nvml_old/libnvidia-ml.so.1";
// Two GPUs, the second in MIG mode with two instances.
extern const char two_gpus[];

// Finds what `library` has, and no AMD GPUs.
gpu::Inventory discovered(const std::string& library, double patience = 30);

// "GPU-a" is a whole GPU "0", "MIG-a" an instance "<parent>:<n>" of the last GPU, which then is in
// MIG mode.
std::vector<gpu::Device> made_devices(const std::vector<std::string>& uuids);
std::vector<std::string> uuids_of(const std::vector<gpu::Device>& devices);

}  // namespace controller::testing
