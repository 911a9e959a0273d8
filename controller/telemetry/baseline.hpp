// The power of a machine at rest, kept on disk for as long as it may be used again.
#pragma once

#include <filesystem>

#include "campaign/metrics/energy.hpp"
#include "campaign/state/journal.hpp"

namespace controller::telemetry {

class BaselineCache {
 public:
  // `file`: read when it is there; what is not whole, of another host or another boot is as good
  // as none.
  BaselineCache(std::filesystem::path file, std::string host, const campaign::Clock& clock);
  // Not older than so many seconds.
  bool holds(double ttl_s) const;
  // Measured now; it is known even where it throws std::system_error as it cannot be written.
  void keep(double watts);
  // For a run that begins now: fresh for the first one after a measurement, cached for the others.
  std::optional<campaign::EnergyBaseline> take();

 private:
  void read();
  std::filesystem::path file_;
  std::string host_;
  const campaign::Clock& clock_;
  std::optional<campaign::EnergyBaseline> known_;
};

}  // namespace controller::telemetry
