// The power of a machine at rest, by domain (energy.hpp), kept on disk for as long as it may be
// used again. Each domain has its own age: runs lease different GPUs.
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
  // All of these domains, none older than so many seconds.
  bool holds(const std::vector<std::string>& domains, double ttl_s) const;
  // Measured now; it is known even where it throws std::system_error as it cannot be written.
  void keep(const std::map<std::string, double>& watts);
  // For a run that begins now, which holds() these: fresh for the first one after a measurement,
  // cached for the others; as old as its oldest domain.
  campaign::EnergyBaseline take(const std::vector<std::string>& domains);

 private:
  struct Known {
    double watts = 0, utc = 0;
    bool used = true;
  };
  void read();
  std::string text() const;
  std::filesystem::path file_;
  std::string host_;
  const campaign::Clock& clock_;
  std::map<std::string, Known> known_;
};

}  // namespace controller::telemetry
