#include "controller/thermal/sensors.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <limits>

#include "controller/telemetry/host_sensors.hpp"
#include "controller/telemetry/kernel_file.hpp"

namespace controller::thermal {

namespace fs = std::filesystem;
using gpu::Device;
using gpu::Nvml;
using gpu::Reading;

namespace {

constexpr double unknown = std::numeric_limits<double>::quiet_NaN();
constexpr double millidegrees = 1e-3;
constexpr int first_render_minor = 128;

// Where one chip's temperature is read.
struct Place {
  Nvml::Handle handle = nullptr;
  telemetry::KernelFile file;  // AMD's
};

class ChipSensor : public telemetry::Sensor {
 public:
  ChipSensor(std::shared_ptr<Nvml> nvml, std::vector<Place> places)
      : nvml_(std::move(nvml)), places_(std::move(places)) {}

  int read(std::span<double> values) override {
    std::size_t known = 0;
    for (std::size_t i = 0; i < places_.size(); ++i) {
      values[i] = celsius(places_[i]);
      known += values[i] == values[i];
    }
    return known > 0 ? 0 : EIO;
  }

 private:
  double celsius(const Place& place) const {
    if (place.handle == nullptr) {
      const auto number = telemetry::read_number(place.file);
      return number ? *number * millidegrees : unknown;
    }
    const auto reading = nvml_->temperature(place.handle);
    return reading ? *reading : unknown;
  }

  std::shared_ptr<Nvml> nvml_;
  std::vector<Place> places_;
};

Reading<Nvml::Handle> handle_of(const Nvml& nvml, const std::string& uuid) {
  const auto count = nvml.count();
  if (!count) return Reading<Nvml::Handle>::unavailable(count.why);
  for (unsigned index = 0; index < *count; ++index) {
    const auto handle = nvml.device(index);
    const auto found = handle ? nvml.uuid(*handle) : Reading<std::string>::unavailable(handle.why);
    if (found && *found == uuid) return handle;
  }
  return Reading<Nvml::Handle>::unavailable("NVML does not know it");
}

class Opening {
 public:
  explicit Opening(const TemperatureSources& from) : from_(from) {}

  void add(const Chip& chip) {
    Place place;
    const std::string why =
        chip.vendor == Device::Vendor::amd ? find_file(chip, place) : find_handle(chip, place);
    if (why.empty()) {
      places_.push_back(std::move(place));
      columns_.push_back({.name = chip.id, .unit = "C"});
    } else if (problem_.empty()) {
      problem_ = chip.label + ": " + why;
    }
  }

  telemetry::Found found() {
    telemetry::Found found{
        .source = {.name = "gpu", .kind = ""}, .columns = std::move(columns_), .sensor = nullptr};
    if (places_.empty())
      found.source.unavailable = problem_;
    else
      found.sensor = std::make_unique<ChipSensor>(nvml_, std::move(places_));
    return found;
  }

 private:
  std::string find_handle(const Chip& chip, Place& place) {
    if (!nvml_) {
      auto opened = Nvml::open(from_.nvml);
      if (!opened.nvml) return opened.why;
      nvml_ = Nvml::lasting(std::move(opened.nvml));
    }
    const auto handle = handle_of(*nvml_, chip.id);
    if (!handle) return handle.why;
    const auto reading = nvml_->temperature(*handle);
    if (!reading) return reading.why;
    place.handle = *handle;
    return "";
  }

  std::string find_file(const Chip& chip, Place& place) const {
    const fs::path folder =
        fs::path(from_.roots.sys) / "class/drm" /
        ("renderD" + std::to_string(chip.minor.value_or(0) + first_render_minor)) / "device/hwmon";
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder, error)) {
      place.file = telemetry::KernelFile(entry.path() / "temp1_input");
      if (place.file && telemetry::read_number(place.file)) return "";
    }
    return folder.string() + " has none";
  }

  const TemperatureSources& from_;
  std::shared_ptr<Nvml> nvml_;
  std::vector<Place> places_;
  std::vector<campaign::TelemetryColumn> columns_;
  std::string problem_;  // the first
};

}  // namespace

std::vector<Chip> chips_of(const std::vector<Device>& devices) {
  std::vector<Chip> chips;
  for (const Device& device : devices) {
    const std::string& id = device.parent.empty() ? device.uuid : device.parent;
    const auto same = [&](const Chip& chip) { return chip.id == id; };
    if (std::ranges::any_of(chips, same)) continue;
    chips.push_back({.id = id,
                     .label = "GPU " + device.index.substr(0, device.index.find(':')),
                     .vendor = device.vendor,
                     .minor = device.minor});
  }
  return chips;
}

telemetry::Found open_temperatures(const TemperatureSources& from, const std::vector<Chip>& chips) {
  if (chips.empty()) return telemetry::open_hwmon(from.roots);
  Opening opening(from);
  for (const Chip& chip : chips) opening.add(chip);
  return opening.found();
}

std::string label_of(const std::string& column, const std::vector<Chip>& chips) {
  for (const Chip& chip : chips)
    if (chip.id == column) return chip.label;
  std::string label = column.substr(column.starts_with("hwmon.") ? std::strlen("hwmon.") : 0);
  if (const auto dot = label.find('.'); dot != std::string::npos) label[dot] = ' ';
  return label;
}

}  // namespace controller::thermal
