// A container of the probe image with these GPUs on the engine of DOCKER_HOST, as a run has it: the
// route is chosen from what the engine offers, the launcher looks for the devices. Prints one line,
// JSON: the route and how it ended; output and outcome lie in OUT.
//
// usage: gpu_probe LAUNCHER OUT SCRIPT [GPU...]     a GPU is VENDOR/INDEX/FILE NUMBER/UUID
// GPU_PROBE_NODE=FILE stands in for every device file of the host.
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <sstream>

#include "container/docker_engine.hpp"
#include "container/ephemeral.hpp"
#include "controller/runners/gpus.hpp"

namespace {

using container::Engine;
using container::Task;

controller::gpu::Device device_of(const std::string& text) {
  std::istringstream words(text);
  std::string vendor, index, number, uuid;
  std::getline(words, vendor, '/');
  std::getline(words, index, '/');
  std::getline(words, number, '/');
  std::getline(words, uuid);
  controller::gpu::Device device{.index = index, .minor = std::stoi(number), .uuid = uuid};
  if (vendor == "amd") device.vendor = controller::gpu::Device::Vendor::amd;
  if (uuid.starts_with("MIG-")) device.parent = "GPU-parent";
  return device;
}

container::ContainerSpec spec_of(char** words) {
  container::ContainerSpec spec;
  spec.name = "cctl-gpu-probe-" + std::to_string(getpid());
  spec.image = "campaignctl/probe:1";
  spec.entrypoint = {"/campaign/launch", "--run", "probe.a1", "--out", "/campaign/ctl", "--"};
  spec.command = {"/bin/sh", "-c", words[3]};
  spec.network = "none";
  spec.mounts = {{.source = words[1], .target = "/campaign/launch", .read_only = true},
                 {.source = words[2], .target = "/campaign/ctl"}};
  return spec;
}

Task<> probe(Engine& engine, container::ContainerSpec spec, const controller::GpuDevices& devices) {
  controller::Site site;
  site.info = co_await engine.info();
  site.gpu_host = controller::gpu_host(site.info);
  const container::GpuRoute route = controller::gpu_route(site, devices);
  controller::pass_devices(spec, devices, site);
  controller::check_devices(spec, devices);
  if (const char* node = std::getenv("GPU_PROBE_NODE"))
    for (container::DeviceNode& file : spec.devices) file.host = node;
  const std::string id = co_await engine.create(spec);
  bool told = false;
  auto started = co_await container::start_watched(engine, id, [&told] { told = true; });
  while (started.witness && !told) co_await container::sleep_for(0.01);
  if (started.witness) started.ending = co_await container::look(engine, id);
  co_await engine.remove(id, true);
  const bool failed = started.ending.kind == container::Ending::Kind::start_failed;
  const nlohmann::json said = {{"route", container::text_of(route)},
                               {"start_failed", failed},
                               {"error", controller::with_gpu_remedy(started.ending.error)},
                               {"exit_code", started.ending.exit_code}};
  std::puts(said.dump().c_str());
}

}  // namespace

int main(int argc, char** argv) {
  const char* host = std::getenv("DOCKER_HOST");
  if (argc < 4 || !host) return 64;
  controller::GpuDevices devices;
  for (int i = 4; i < argc; ++i) devices.push_back(device_of(argv[i]));
  boost::asio::io_context io;
  const auto engine =
      container::make_docker_engine(io, {.endpoint = container::parse_endpoint(host)});
  int code = 0;
  boost::asio::co_spawn(io, probe(*engine, spec_of(argv), devices),
                        [&](std::exception_ptr failure) {
                          try {
                            if (failure) std::rethrow_exception(failure);
                          } catch (const std::exception& error) {
                            std::fprintf(stderr, "%s\n", error.what());
                            code = 1;
                          }
                          io.stop();
                        });
  io.run();
  return code;
}
