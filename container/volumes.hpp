// Volumes of an engine. A create of a name that is there gives that one back, whoever made it and
// whatever its labels: inspect first.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "container/async.hpp"

namespace container {

struct VolumeSpec {
  std::string name;
  std::string driver = {};  // empty: local
  std::map<std::string, std::string> options = {}, labels = {};
};

struct VolumeInfo {
  std::string name, driver, mountpoint;
  std::map<std::string, std::string> labels;
};

class Volumes {
 public:
  virtual ~Volumes() = default;
  virtual Task<VolumeInfo> create(const VolumeSpec& spec) = 0;
  // "" value = label present.
  virtual Task<std::vector<VolumeInfo>> list(const std::map<std::string, std::string>& labels) = 0;
  virtual Task<VolumeInfo> inspect(const std::string& name) = 0;
  virtual Task<> remove(const std::string& name) = 0;  // 404 is success; 409: in use
};

}  // namespace container
