#include "compose/loader/decode.hpp"
#include "compose/loader/decode_read.hpp"

namespace compose {
namespace {

std::vector<ThrottleDevice> throttles(const YamlNode& list) {
  std::vector<ThrottleDevice> devices;
  for (const YamlNode& item : list.items)
    devices.push_back({std::string(item.word("path")), member(item, "rate").integer});
  return devices;
}

Blkio blkio(const YamlNode& node) {
  Blkio blkio;
  read(node, "weight", blkio.weight);
  for (const YamlNode& item : member(node, "weight_device").items)
    blkio.weight_device.push_back(
        {std::string(item.word("path")), as_int(member(item, "weight").integer)});
  blkio.read_bps = throttles(member(node, "device_read_bps"));
  blkio.read_iops = throttles(member(node, "device_read_iops"));
  blkio.write_bps = throttles(member(node, "device_write_bps"));
  blkio.write_iops = throttles(member(node, "device_write_iops"));
  return blkio;
}

enum class Origins { reservation, gpus };

// gpus asks for GPUs without saying so; of neither count nor ids all are meant.
DeviceRequest request_of(const YamlNode& node, Origins origin) {
  DeviceRequest request;
  read(node, "driver", request.driver);
  read(node, "count", request.count);
  read(node, "device_ids", request.device_ids);
  read(node, "capabilities", request.capabilities);
  read(node, "options", request.options);
  if (!request.count && request.device_ids.empty()) request.count = -1;
  bool gpu = origin == Origins::reservation;
  for (const std::string& capability : request.capabilities) gpu = gpu || capability == "gpu";
  if (!gpu) request.capabilities.emplace_back("gpu");
  return request;
}

// A name of the Container Device Interface: vendor.com/class=device.
bool is_cdi(std::string_view source) {
  return !source.starts_with('/') && source.find('/') != source.npos &&
         source.find('=') != source.npos;
}

void devices(const YamlNode& node, Service& service) {
  DeviceRequest cdi{
      .driver = "cdi", .count = {}, .device_ids = {}, .capabilities = {}, .options = {}};
  for (const YamlNode& item : member(node, "devices").items) {
    const std::string source(item.word("source"));
    if (is_cdi(source)) {
      cdi.device_ids.push_back(source);
      continue;
    }
    service.devices.push_back({.source = source,
                               .target = std::string(item.word("target")),
                               .permissions = std::string(item.word("permissions"))});
  }
  if (!cdi.device_ids.empty()) service.device_requests.push_back(std::move(cdi));
  const YamlNode& reservations =
      member(member(member(node, "deploy"), "resources"), "reservations");
  for (const YamlNode& item : member(reservations, "devices").items)
    service.device_requests.push_back(request_of(item, Origins::reservation));
  for (const YamlNode& item : member(node, "gpus").items)
    service.device_requests.push_back(request_of(item, Origins::gpus));
}

}  // namespace

void decode_limits(const YamlNode& node, Service& service) {
  Limits& limits = service.limits;
  const YamlNode& resources = member(member(node, "deploy"), "resources");
  const YamlNode& upper = member(resources, "limits");
  read(upper, "cpus", limits.cpus);
  read(upper, "memory", limits.memory);
  read(upper, "pids", limits.pids);
  read(member(resources, "reservations"), "memory", limits.memory_reservation);
  read(node, "cpus", limits.cpus);
  read(node, "mem_limit", limits.memory);
  read(node, "mem_reservation", limits.memory_reservation);
  read(node, "memswap_limit", limits.memory_swap);
  read(node, "mem_swappiness", limits.memory_swappiness);
  read(node, "pids_limit", limits.pids);
  read(node, "cpuset", limits.cpuset);
  read(node, "cpu_count", limits.cpu_count);
  read(node, "cpu_percent", limits.cpu_percent);
  read(node, "cpu_shares", limits.cpu_shares);
  read(node, "cpu_quota", limits.cpu_quota);
  read(node, "cpu_period", limits.cpu_period);
  read(node, "cpu_rt_period", limits.cpu_rt_period_us);
  read(node, "cpu_rt_runtime", limits.cpu_rt_runtime_us);
  read(node, "oom_kill_disable", limits.oom_kill_disable);
  read(node, "oom_score_adj", limits.oom_score_adj);
  limits.blkio = blkio(member(node, "blkio_config"));
  devices(node, service);
  read(node, "shm_size", service.shm_size);
  for (const Member& entry : member(node, "ulimits").members) {
    const YamlNode& value = entry.value;
    service.ulimits[entry.key] =
        value.is_map()
            ? Ulimit{.soft = member(value, "soft").integer, .hard = member(value, "hard").integer}
            : Ulimit{.soft = value.integer, .hard = value.integer};
  }
}

}  // namespace compose
