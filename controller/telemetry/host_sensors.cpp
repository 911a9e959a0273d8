#include "controller/telemetry/host_sensors.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <limits>

#include "controller/telemetry/kernel_file.hpp"

namespace controller::telemetry {

namespace fs = std::filesystem;

namespace {

// One number from each of several files.
class Numbers : public Sensor {
 public:
  Numbers(std::vector<KernelFile> files, double scale) : files_(std::move(files)), scale_(scale) {}

  int read(std::span<double> values) override {
    int why = 0;
    std::size_t known = 0;
    for (std::size_t i = 0; i < files_.size(); ++i) {
      const auto number = read_number(files_[i]);
      if (!number) why = errno;
      known += number.has_value();
      values[i] = number ? *number * scale_ : std::numeric_limits<double>::quiet_NaN();
    }
    return known > 0 ? 0 : why;
  }

 private:
  std::vector<KernelFile> files_;
  double scale_;
};

std::vector<fs::path> entries_of(const fs::path& folder) {
  std::vector<fs::path> entries;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) entries.push_back(entry.path());
  std::ranges::sort(entries);
  return entries;
}

std::string line_of(const fs::path& file) {
  const std::string text = whole_text(file);
  return text.substr(0, text.find('\n'));
}

struct Opened {
  std::vector<KernelFile> files;
  std::vector<campaign::TelemetryColumn> columns;
  std::string problem;  // the first
};

void add_file(Opened& opened, const fs::path& file, campaign::TelemetryColumn column) {
  KernelFile opening(file);
  if (opening && read_number(opening)) {
    opened.files.push_back(std::move(opening));
    opened.columns.push_back(std::move(column));
  } else if (opened.problem.empty()) {
    opened.problem = file.string() + ": " + std::strerror(errno);
  }
}

Found found_in(Opened opened, campaign::TelemetrySource source, double scale) {
  Found found{.source = std::move(source), .columns = std::move(opened.columns), .sensor = nullptr};
  if (opened.files.empty())
    found.source.unavailable = opened.problem;
  else
    found.sensor = std::make_unique<Numbers>(std::move(opened.files), scale);
  return found;
}

constexpr double joules = 1e-6, degrees = 1e-3;

void add_domain(Opened& opened, const fs::path& zone, const std::string& name) {
  const std::string range = line_of(zone / "max_energy_range_uj");
  campaign::TelemetryColumn column{.name = "rapl." + name, .unit = "J", .counter = true};
  if (!range.empty()) column.wraps_at = std::strtod(range.c_str(), nullptr) * joules;
  add_file(opened, zone / "energy_uj", std::move(column));
}

// intel-rapl:0 is a package, intel-rapl:0:1 a domain of it; intel-rapl-mmio:0 is the same package
// once more.
void add_package(Opened& opened, const fs::path& zone) {
  const std::string package = line_of(zone / "name");
  if (!package.starts_with("package") || zone.filename().string().find("mmio") != std::string::npos)
    return;
  add_domain(opened, zone, package);
  for (const fs::path& domain : entries_of(zone))
    if (domain.filename().string().starts_with(zone.filename().string() + ":") &&
        line_of(domain / "name") == "dram")
      add_domain(opened, domain, package + ".dram");
}

bool is_processor(const std::string& chip) {
  for (const char* known : {"coretemp", "k10temp", "zenpower", "cpu_thermal"})
    if (chip == known) return true;
  return false;
}

// A label that stands for the whole package.
bool is_package(const std::string& label) {
  return label.empty() || label.starts_with("Package") || label == "Tctl" || label == "Tdie";
}

void add_chip(Opened& opened, const fs::path& folder) {
  const std::string chip = line_of(folder / "name");
  if (!is_processor(chip)) return;
  for (const fs::path& file : entries_of(folder)) {
    const std::string name = file.filename();
    if (!name.starts_with("temp") || !name.ends_with("_input")) continue;
    const std::string stem = name.substr(0, name.size() - std::strlen("_input"));
    const std::string label = line_of(folder / (stem + "_label"));
    if (!is_package(label)) continue;
    std::string column = "hwmon." + chip + "." + (label.empty() ? stem : label);
    const auto same = [&](const auto& known) { return known.name == column; };
    if (std::ranges::any_of(opened.columns, same)) column += " " + folder.filename().string();
    add_file(opened, file, {.name = std::move(column), .unit = "C"});
  }
}

}  // namespace

Found open_rapl(const Roots& roots) {
  const fs::path folder = fs::path(roots.sys) / "class/powercap";
  Opened opened;
  for (const fs::path& zone : entries_of(folder))
    if (std::ranges::count(zone.filename().string(), ':') == 1) add_package(opened, zone);
  if (opened.columns.empty() && opened.problem.empty())
    opened.problem = "there is no RAPL package in " + folder.string();
  return found_in(std::move(opened), {.name = "rapl", .kind = "powercap"}, joules);
}

Found open_hwmon(const Roots& roots) {
  const fs::path folder = fs::path(roots.sys) / "class/hwmon";
  Opened opened;
  for (const fs::path& chip : entries_of(folder)) add_chip(opened, chip);
  if (opened.columns.empty() && opened.problem.empty())
    opened.problem = "there is no processor's sensor in " + folder.string();
  return found_in(std::move(opened), {.name = "hwmon", .kind = "hwmon"}, degrees);
}

}  // namespace controller::telemetry
