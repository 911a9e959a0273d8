// The GPUs of this host as `gpus` and `doctor` show them.
#pragma once

#include "controller/cli/console.hpp"
#include "controller/gpu/discover.hpp"
#include "controller/gpu/selection.hpp"

namespace controller::cli {

struct GpusReport {
  gpu::Inventory inventory;
  gpu::Grant grant;
  std::string grant_fault;            // why the environment's grant cannot be had, "" = it can
  gpu::Taken leases;                  // who leases a device, by UUID
  gpu::Taken taken;                   // why a granted device is not free, leases among it
  std::string selection;              // what --select comes to, "" = not asked
  std::vector<std::string> selected;  // UUIDs, of which --select takes `selected_count`
  std::size_t selected_count = 0;
};

struct GpusRequest {
  gpu::DiscoveryRequest discovery;
  campaign::Environment environment;
  std::string lease_folder;
  std::string select;  // as wish_of() takes it, "" = none
};
// Blocks for as long as the drivers take. Throws CommandError for a selection that cannot be had.
GpusReport gpus_report(const GpusRequest& request);
GpusRequest gpus_request();  // of this process

std::string gpus_text(const GpusReport& report);
std::string gpus_json(const GpusReport& report);
// "free", "leased", "in use", "in MIG mode", "not granted".
std::string use_of(const GpusReport& report, const gpu::Device& device);
// Lines that say who leases and who holds a device.
std::vector<std::string> holders_of(const GpusReport& report, const gpu::Device& device);
bool has_fault(const GpusReport& report);  // a driver that is there and does not serve
std::string versions_text(const gpu::Inventory& inventory);  // "driver 550.54.15, CUDA 12.4"

}  // namespace controller::cli
