// Bytes that a container has received and sent: /proc/<pid>/net/dev of a process in its network
// namespace. Allocates nothing when it is read.
#pragma once

#include "controller/telemetry/kernel_file.hpp"
#include "controller/telemetry/sensor.hpp"

namespace controller::telemetry {

class NetCounters {
 public:
  // `procs`: the file of a control group that lists its processes. Not open where there is none, or
  // where they share our own network: that is the machine's.
  NetCounters(const Roots& roots, const std::string& procs);
  struct Bytes {
    double received, sent;  // NaN where they cannot be told
  };
  // Of all interfaces but the loopback.
  Bytes read(std::span<char> buffer) const;

 private:
  KernelFile file_;
};

}  // namespace controller::telemetry
