// Reads temperatures for gaps without ever holding up the loop: each reading is made on a thread of
// its own that may hang in a driver. Sensors are opened at their first use and stay open for the
// session; those that once did not answer in time are not asked again. One per session.
#pragma once

#include <functional>
#include <memory>

#include "campaign/state/journal.hpp"
#include "controller/thermal/sensors.hpp"
#include "controller/wake.hpp"

namespace controller::thermal {

struct Temperature {
  std::string sensor;  // a GPU's UUID, a column of hwmon
  std::string label;
  double celsius = 0;
};
struct Temperatures {
  std::vector<Temperature> all;
  std::string why;  // where there are none
  explicit operator bool() const { return !all.empty(); }
  // By sensor.
  std::map<std::string, double> celsius() const;
};

struct ThermometerParts {
  Wake* wake = nullptr;
  const campaign::Clock* clock = nullptr;
  std::function<bool()> cancelled;  // asked at each wake; a reading is then given up
  // Called on the thread; owns what it uses, for it may outlive the session.
  std::function<telemetry::Found(const std::vector<Chip>&)> open;
  // Seconds that a first reading and any later one may take. A GPU that nobody uses is woken by the
  // first, which takes a second or two each.
  double patience_at_first = 30, patience = 5;
};

class Thermometer {
 public:
  explicit Thermometer(ThermometerParts parts);
  ~Thermometer();
  Thermometer(const Thermometer&) = delete;
  Thermometer& operator=(const Thermometer&) = delete;

  // Of these chips; without any of the processors. Takes at most so many seconds, or the patience
  // above.
  Task<Temperatures> read(std::vector<Chip> chips, double most);

 private:
  struct Sensors;
  const ThermometerParts parts_;
  const std::shared_ptr<Sensors> sensors_;  // also of threads, which may outlive us
  std::map<bool, std::string> lost_;  // of chips' driver (true), of the host: why; "" = it answers
};

}  // namespace controller::thermal
