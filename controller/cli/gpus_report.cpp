#include "controller/cli/gpus_report.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <system_error>

#include "controller/errors.hpp"
#include "controller/gpu/lease.hpp"

namespace controller::cli {
namespace {

using Json = nlohmann::ordered_json;
using gpu::Device;
using gpu::Place;

constexpr double gibibyte = 1024.0 * 1024 * 1024;

std::string gigabytes(std::uint64_t bytes) {
  return fixed(static_cast<double>(bytes) / gibibyte, 1) + " GiB";
}

void find_holders(GpusReport& report, const std::string& folder) {
  for (const Device& device : report.inventory.devices) {
    try {
      if (const auto holder = gpu::lease_holder(folder, device.uuid))
        report.leases[device.uuid] = *holder;
    } catch (const std::system_error& error) {
      report.leases[device.uuid] = std::string("nobody can tell: ") + error.what();
    }
    const auto leased = report.leases.find(device.uuid);
    const std::string why =
        leased != report.leases.end() ? "leased by " + leased->second : gpu::why_not_free(device);
    if (!why.empty() && !device.mig) report.taken[device.uuid] = why;
  }
}

// A count is a run's, of a campaign that says `auto`.
void select(GpusReport& report, const gpu::Wish& wish) {
  const bool of_run = wish.kind == gpu::Wish::Kind::count;
  const gpu::Wish automatic;
  const gpu::Pool pool = gpu::pool_of({.wish = of_run ? automatic : wish,
                                       .grant = report.grant,
                                       .all = report.inventory.devices,
                                       .taken = report.taken});
  report.selection = pool.cause;
  report.selected_count = pool.devices.size();
  std::vector<Device> devices = pool.devices;
  if (of_run) {
    const gpu::Demand demand = gpu::demand_of(wish, pool, report.inventory.devices);
    report.selection = demand.cause + " (" + pool.cause + ")";
    report.selected_count = demand.count;
    devices = demand.candidates;
  }
  for (const Device& device : devices) report.selected.push_back(device.uuid);
}

template <class Value, class Show>
std::string shown(const gpu::Reading<Value>& reading, Show show) {
  return reading ? show(*reading) : "-";
}

std::string memory_text(const gpu::DeviceMemory& memory) {
  return fixed(static_cast<double>(memory.used) / gibibyte, 1) + " of " + gigabytes(memory.total);
}

std::string devices_table(const GpusReport& report) {
  using Align = Table::Align;
  Table table({{"GPU"},
               {"uuid"},
               {"name"},
               {"memory", Align::right},
               {"temp", Align::right},
               {"power", Align::right},
               {"use"}});
  for (const Device& device : report.inventory.devices)
    table.add(
        {device.index, device.uuid, device.name, shown(device.memory, memory_text),
         shown(device.temperature, [](int degrees) { return std::to_string(degrees) + " C"; }),
         shown(device.power, [](double watts) { return fixed(watts, 0) + " W"; }),
         use_of(report, device)});
  return table.text();
}

// What could not be read, by the name of the reading.
std::vector<std::pair<std::string, std::string>> unavailable_of(const Device& device) {
  std::vector<std::pair<std::string, std::string>> all;
  if (!device.memory) all.emplace_back("memory", device.memory.why);
  if (!device.temperature) all.emplace_back("temperature", device.temperature.why);
  if (!device.power) all.emplace_back("power", device.power.why);
  if (!device.processes) all.emplace_back("processes", device.processes.why);
  return all;
}

// The same of the driver; it is NVIDIA's.
std::vector<std::pair<std::string, std::string>> unavailable_of(const gpu::Inventory& inventory) {
  const auto& devices = inventory.devices;
  std::vector<std::pair<std::string, std::string>> all;
  if (std::ranges::none_of(
          devices, [](const Device& device) { return device.vendor == Device::Vendor::nvidia; }))
    return all;
  if (!inventory.driver_version) all.emplace_back("driver version", inventory.driver_version.why);
  if (!inventory.cuda_version) all.emplace_back("CUDA version", inventory.cuda_version.why);
  return all;
}

std::string places_text(const GpusReport& report) {
  std::string out;
  for (const Place& place : report.inventory.places)
    out += "  " + place.name + ": " + place.finding + "\n";
  return out;
}

std::string selection_text(const GpusReport& report) {
  if (report.selection.empty()) return "";
  std::string out = "selection: " + report.selection + "\n";
  for (const std::string& uuid : report.selected) out += "  " + uuid + "\n";
  return out;
}

template <class Value>
Json or_null(const gpu::Reading<Value>& reading) {
  return reading ? Json(*reading) : Json(nullptr);
}

Json unavailable_versions(const gpu::Inventory& inventory) {
  Json reasons = Json::object();
  if (!inventory.driver_version) reasons["driver_version"] = inventory.driver_version.why;
  if (!inventory.cuda_version) reasons["cuda_version"] = inventory.cuda_version.why;
  return reasons;
}

Json or_null(const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); }

Json processes_json(const Device& device) {
  if (!device.processes) return nullptr;
  Json list = Json::array();
  for (const gpu::DeviceProcess& process : *device.processes)
    list.push_back({{"pid", process.pid},
                    {"name", or_null(process.name)},
                    {"user", or_null(process.user)},
                    {"memory_bytes", or_null(process.memory)}});
  return list;
}

Json device_json(const GpusReport& report, const Device& device) {
  const auto leased = report.leases.find(device.uuid);
  Json unavailable = Json::object();
  for (const auto& [name, why] : unavailable_of(device)) unavailable[name] = why;
  return {{"index", device.index},
          {"uuid", device.uuid},
          {"vendor", device.vendor == Device::Vendor::amd ? "amd" : "nvidia"},
          {"name", or_null(device.name)},
          {"mig_parent", or_null(device.parent)},
          {"mig_mode", device.mig},
          {"memory_total_bytes", device.memory ? Json(device.memory->total) : Json(nullptr)},
          {"memory_used_bytes", device.memory ? Json(device.memory->used) : Json(nullptr)},
          {"temperature_c", or_null(device.temperature)},
          {"power_w", or_null(device.power)},
          {"use", use_of(report, device)},
          {"lease", leased == report.leases.end() ? Json(nullptr) : Json(leased->second)},
          {"processes", processes_json(device)},
          {"unavailable", unavailable}};
}

Json places_json(const GpusReport& report) {
  Json list = Json::array();
  for (const Place& place : report.inventory.places)
    list.push_back({{"place", place.name},
                    {"answer", place.answer == Place::Answer::devices   ? "devices"
                               : place.answer == Place::Answer::nothing ? "nothing"
                                                                        : "fault"},
                    {"finding", place.finding}});
  return list;
}

}  // namespace

GpusRequest gpus_request() {
  return {.discovery = {},
          .environment = campaign::process_environment(),
          .lease_folder = gpu::lease_folder().string(),
          .select = ""};
}

GpusReport gpus_report(const GpusRequest& request) {
  GpusReport report;
  report.inventory = gpu::discover(request.discovery);
  find_holders(report, request.lease_folder);
  try {
    report.grant = gpu::grant_of(report.inventory.devices, gpu::grant_words(request.environment));
  } catch (const CommandError& error) {
    if (!request.select.empty()) throw;
    report.grant_fault = error.what();
  }
  if (!request.select.empty()) select(report, gpu::wish_of(request.select));
  return report;
}

std::string use_of(const GpusReport& report, const Device& device) {
  if (device.mig) return "in MIG mode";
  if (report.leases.contains(device.uuid)) return "leased";
  if (report.taken.contains(device.uuid)) return "in use";
  return gpu::has(report.grant.devices, device.uuid) ? "free" : "not granted";
}

std::vector<std::string> holders_of(const GpusReport& report, const Device& device) {
  std::vector<std::string> lines;
  const std::string name = "GPU " + device.index;
  const auto leased = report.leases.find(device.uuid);
  if (leased != report.leases.end()) lines.push_back(name + " is leased by " + leased->second);
  if (!device.processes || device.mig) return lines;
  for (const gpu::DeviceProcess& process : *device.processes)
    lines.push_back(name + " is held by pid " + std::to_string(process.pid) +
                    (process.name.empty() ? "" : " (" + process.name + ")") +
                    (process.user.empty() ? "" : " of " + process.user) +
                    (process.memory ? ", " + gigabytes(*process.memory) : ""));
  const auto taken = report.taken.find(device.uuid);
  if (lines.empty() && taken != report.taken.end()) lines.push_back(name + ": " + taken->second);
  return lines;
}

bool has_fault(const GpusReport& report) {
  const auto& places = report.inventory.places;
  return std::any_of(places.begin(), places.end(),
                     [](const Place& place) { return place.answer == Place::Answer::fault; });
}

std::string versions_text(const gpu::Inventory& inventory) {
  std::vector<std::string> known;
  if (inventory.driver_version) known.push_back("driver " + *inventory.driver_version);
  if (inventory.cuda_version) known.push_back("CUDA " + *inventory.cuda_version);
  return joined(known, ", ");
}

std::string gpus_text(const GpusReport& report) {
  const auto& devices = report.inventory.devices;
  if (devices.empty())
    return "no GPUs were found; looked at:\n" + places_text(report) + selection_text(report);
  std::string out = devices_table(report);
  for (const Device& device : devices)
    for (const std::string& line : holders_of(report, device)) out += line + "\n";
  for (const Device& device : devices)
    for (const auto& [name, why] : unavailable_of(device))
      if (device.parent.empty()) out += "GPU " + device.index + ": no " + name + ": " + why + "\n";
  if (const std::string versions = versions_text(report.inventory); !versions.empty())
    out += versions + "\n";
  for (const auto& [name, why] : unavailable_of(report.inventory))
    out += "no " + name + ": " + why + "\n";
  out += "grant: " +
         (report.grant_fault.empty()
              ? std::to_string(report.grant.devices.size()) + " of " +
                    std::to_string(gpu::usable(devices).size()) + "; " + report.grant.cause
              : report.grant_fault) +
         "\n";
  if (has_fault(report)) out += "looked at:\n" + places_text(report);
  return out + selection_text(report);
}

std::string gpus_json(const GpusReport& report) {
  Json granted = Json::array(), others = Json::array();
  for (const Device& device : report.inventory.devices)
    (gpu::has(report.grant.devices, device.uuid) ? granted : others)
        .push_back(device_json(report, device));
  Json object = {{"schema_version", 1},
                 {"gpus", granted},
                 {"reason", report.grant_fault.empty() ? report.grant.cause : report.grant_fault},
                 {"not_granted", others},
                 {"driver_version", or_null(report.inventory.driver_version)},
                 {"cuda_version", or_null(report.inventory.cuda_version)},
                 {"unavailable", unavailable_versions(report.inventory)},
                 {"places", places_json(report)}};
  if (!report.selection.empty())
    object["selection"] = {
        {"uuids", report.selected}, {"count", report.selected_count}, {"reason", report.selection}};
  return object.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace controller::cli
