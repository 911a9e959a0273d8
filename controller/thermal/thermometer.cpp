#include "controller/thermal/thermometer.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <mutex>

#include "controller/gpu/bounded.hpp"
#include "controller/gpu/discover.hpp"

namespace controller::thermal {

namespace {

std::string names_of(const std::vector<Chip>& chips) {
  std::string names;
  for (const Chip& chip : chips) names += chip.id + ' ';
  return names;
}

}  // namespace

// What the threads share: one at a time reads, so that no driver is asked twice at once. The host's
// own sensors are read beside them.
struct Thermometer::Sensors {
  std::function<telemetry::Found(const std::vector<Chip>&)> open;
  std::mutex driver, host;
  std::map<std::string, telemetry::Found> found;
  telemetry::Found found_of_host;

  telemetry::Found& source_of(const std::vector<Chip>& chips) {
    if (chips.empty()) {
      if (!found_of_host.sensor) found_of_host = open(chips);
      return found_of_host;
    }
    const std::string names = names_of(chips);
    const auto at = found.find(names);
    return at != found.end() ? at->second : found.emplace(names, open(chips)).first->second;
  }

  Temperatures read(const std::vector<Chip>& chips) {
    const std::scoped_lock lock(chips.empty() ? host : driver);
    telemetry::Found& source = source_of(chips);
    if (!source.sensor) return {.all = {}, .why = source.source.unavailable};
    std::vector<double> values(source.columns.size());
    const int fault = source.sensor->read(values);
    if (fault != 0) return {.all = {}, .why = std::string("reading it: ") + std::strerror(fault)};
    Temperatures read;
    for (std::size_t i = 0; i < values.size(); ++i)
      if (std::isfinite(values[i]))
        read.all.push_back({.sensor = source.columns[i].name,
                            .label = label_of(source.columns[i].name, chips),
                            .celsius = values[i]});
    if (read.all.empty()) read.why = "the sensor gives no number";
    return read;
  }
};

std::map<std::string, double> Temperatures::celsius() const {
  std::map<std::string, double> values;
  for (const Temperature& one : all) values[one.sensor] = one.celsius;
  return values;
}

Thermometer::Thermometer(ThermometerParts parts)
    : parts_(std::move(parts)), sensors_(std::make_shared<Sensors>()) {
  sensors_->open = parts_.open;
}

Thermometer::~Thermometer() = default;

Task<Temperatures> Thermometer::read(std::vector<Chip> chips, double most) {
  constexpr double shortest_pause = 0.001, longest_pause = 0.05;
  const bool driver = !chips.empty();  // a driver that hangs does so for all its chips
  const auto lost = lost_.find(driver);
  if (lost != lost_.end() && !lost->second.empty())
    co_return Temperatures{.all = {}, .why = lost->second};
  const double patience = lost == lost_.end() ? parts_.patience_at_first : parts_.patience;
  auto reading = gpu::begun([sensors = sensors_, chips] { return sensors->read(chips); });
  const double end = parts_.clock->boottime() + std::min(patience, most);
  for (double pause = shortest_pause;
       reading.wait_for(std::chrono::seconds(0)) != std::future_status::ready;
       pause = std::min(2 * pause, longest_pause)) {
    if (parts_.cancelled && parts_.cancelled()) co_return Temperatures{.all = {}, .why = "stopped"};
    if (parts_.clock->boottime() > end) {
      const std::string why = "it " + gpu::no_answer(std::min(patience, most));
      if (most >= patience) lost_[driver] = why;
      co_return Temperatures{.all = {}, .why = why};
    }
    co_await parts_.wake->wait(pause);
  }
  Temperatures answer = reading.get();
  lost_[driver].clear();
  co_return answer;
}

}  // namespace controller::thermal
