#include "controller/telemetry/sensor.hpp"

namespace controller::telemetry {

std::vector<campaign::TelemetryColumn> columns_of(const std::string& source, Counts counts) {
  const auto counter = [&](const char* name, const char* unit) {
    return campaign::TelemetryColumn{.name = source + "." + name,
                                     .unit = unit,
                                     .counter = true,
                                     .from_zero = counts == Counts::from_zero};
  };
  const auto level = [&](const char* name, const char* unit) {
    return campaign::TelemetryColumn{.name = source + "." + name, .unit = unit};
  };
  return {counter("cpu_seconds", "s"),
          counter("cpu_throttled_seconds", "s"),
          level("memory_bytes", "B"),
          level("memory_max_bytes", "B"),
          counter("io_read_bytes", "B"),
          counter("io_write_bytes", "B"),
          level("pids", ""),
          counter("net_rx_bytes", "B"),
          counter("net_tx_bytes", "B")};
}

}  // namespace controller::telemetry
