#include <nlohmann/json.hpp>

#include "container/engine_json.hpp"
#include "container/engine_json_fields.hpp"

namespace container::engine_json {

namespace {

using nlohmann::json;
using Number = std::optional<double>;

constexpr double nanosecond = 1e-9;

Number number(const json& object, const char* key, double unit = 1) {
  const json& value = at(object, key);
  if (!value.is_number()) return std::nullopt;
  return value.get<double>() * unit;
}

void add(Number& sum, const Number& more) {
  if (more) sum = sum.value_or(0) + *more;
}

Number memory_in_use(const json& memory) {
  const Number usage = number(memory, "usage");
  const json& kernel = at(memory, "stats");
  Number inactive = number(kernel, "total_inactive_file");
  if (!inactive) inactive = number(kernel, "inactive_file");
  if (!usage || !inactive || *inactive >= *usage) return usage;
  return *usage - *inactive;
}

// One entry for each device and operation, whose names version 1 writes with a capital.
void add_block_devices(const json& entries, ContainerStats& to) {
  if (!entries.is_array()) return;
  for (const json& entry : entries) {
    const std::string operation = text(entry, "op");
    if (operation == "Read" || operation == "read") add(to.read_bytes, number(entry, "value"));
    if (operation == "Write" || operation == "write") add(to.written_bytes, number(entry, "value"));
  }
}

void add_networks(const json& networks, ContainerStats& to) {
  if (!networks.is_object()) return;
  for (const json& network : networks) {
    add(to.received_bytes, number(network, "rx_bytes"));
    add(to.sent_bytes, number(network, "tx_bytes"));
  }
}

}  // namespace

std::optional<ContainerStats> stats(const std::string& body) {
  const json parsed = parse(body);
  const std::string read = text(parsed, "read");
  if (read.empty() || read.starts_with("0001-")) return std::nullopt;
  const json& cpu = at(parsed, "cpu_stats");
  const json& memory = at(parsed, "memory_stats");
  ContainerStats result;
  result.cpu_seconds = number(at(cpu, "cpu_usage"), "total_usage", nanosecond);
  result.cpu_throttled_seconds = number(at(cpu, "throttling_data"), "throttled_time", nanosecond);
  result.memory_bytes = memory_in_use(memory);
  const Number most = number(memory, "max_usage");
  if (most && *most > 0) result.memory_max_bytes = most;
  add_block_devices(at(at(parsed, "blkio_stats"), "io_service_bytes_recursive"), result);
  add_networks(at(parsed, "networks"), result);
  result.pids = number(at(parsed, "pids_stats"), "current");
  return result;
}

}  // namespace container::engine_json
