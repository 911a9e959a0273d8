#pragma once

#include <string>
#include <vector>

namespace container::launcher {

// The GPUs that a payload is to have: --gpu UUID=FILE for each, and --gpus-beside.
struct ExpectedGpus {
  struct Gpu {
    std::string uuid, file;  // "/dev/nvidia0"; empty: it is not known
  };
  std::vector<Gpu> all;
  bool others_allowed = false;
  bool add(const std::string& text);  // false: it is no UUID=FILE
};

// What there is, in any image: device files, the driver's own list in /proc where it shows one, and
// what the engine put into our environment.
struct SeenGpus {
  struct Gpu {
    std::string file, uuid;  // empty uuid: the driver does not list it, or it is AMD's
  };
  std::vector<Gpu> all;  // /dev/nvidia<n> by number, then /dev/dri/renderD<n>
  bool kfd = false, dxg = false;
  std::string visible_devices;  // NVIDIA_VISIBLE_DEVICES
};
// `root` is "/", or a folder that stands in for it.
SeenGpus see_gpus(const std::string& root);

// One line: what was expected, what is there, and what is wrong; empty for nothing. A GPU without a
// known file is looked for in the driver's list; where that has nothing to say, only that some GPU
// is there can be told.
std::string mismatch(const ExpectedGpus& expected, const SeenGpus& seen);

std::string devices_json(const SeenGpus& seen, const std::string& mismatch);

}  // namespace container::launcher
