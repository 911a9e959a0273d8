// Where numbers about a run or its machine come from: the seam between the sampler and the kernel,
// a driver, an engine. What a sensor reads is fixed when it is made; reading allocates nothing.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "campaign/metrics/telemetry.hpp"

namespace controller::telemetry {

class Sensor {
 public:
  virtual ~Sensor() = default;
  // One value for each of its columns, NaN for what it cannot tell. 0, or the errno that says why
  // nothing at all could be read; what it measured being gone (ENOENT, ENODEV, ESRCH) is such an
  // answer. Called on the sampler's thread, never twice at the same time. May block: the sampler
  // gives it up.
  virtual int read(std::span<double> values) = 0;
};

// What was found of a source. `sensor` is null where it is unavailable; then the source says why.
struct Found {
  campaign::TelemetrySource source;
  std::vector<campaign::TelemetryColumn> columns;
  std::unique_ptr<Sensor> sensor;
};

// Where the kernel's files are; tests have folders of their own.
struct Roots {
  std::string proc = "/proc";
  std::string sys = "/sys";
};

// The columns of everything that reads one container or process tree, in this order: what one of
// them cannot tell stays NaN. `source`: payload or server.
enum PayloadColumn : unsigned {
  cpu_seconds,
  cpu_throttled_seconds,
  memory_bytes,
  memory_max_bytes,
  io_read_bytes,
  io_write_bytes,
  pids,
  net_rx_bytes,
  net_tx_bytes,
  payload_columns
};
// Its counters began at 0 with the attempt, or have counted other things before.
enum class Counts { from_zero, on };
std::vector<campaign::TelemetryColumn> columns_of(const std::string& source, Counts counts);

}  // namespace controller::telemetry
