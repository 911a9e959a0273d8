// The sampler on running containers, each with a GPU: how late its samples are, and what it costs.
// Prints the 99th percentile of the lateness in milliseconds, the share of one core, and rows per
// container.
//
// usage: perf_sampler INTERVAL_MS SECONDS NVML_LIBRARY ID:PID...      ("-": no GPUs)
// The n-th container has GPU-<n>, from 0 on.
#include <time.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <thread>

#include "controller/telemetry/cgroup.hpp"
#include "controller/telemetry/gpu_sensors.hpp"
#include "controller/telemetry/host_sensors.hpp"
#include "controller/telemetry/sampler.hpp"

namespace {

using namespace controller::telemetry;

double cpu_seconds_of(clockid_t clock) {
  timespec used{};
  clock_gettime(clock, &used);
  return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) * 1e-9;
}

// The library of all of them; none by "-".
std::unique_ptr<GpuLibrary> gpu_library(const std::string& name) {
  if (name == "-") return nullptr;
  auto library = std::make_unique<GpuLibrary>(name);
  while (!library->answered()) std::this_thread::yield();
  return library;
}

Found gpu_of(const GpuLibrary& library, int number, const std::string& container) {
  auto processes = std::make_shared<RunProcesses>();
  processes->containers.push_back(container);
  processes->known = true;
  GpuRequest request{.roots = {},
                     .device = {},
                     .source = "gpu0",
                     .processes = std::move(processes),
                     .clock = &campaign::system_clock()};
  request.device.uuid = "GPU-" + std::to_string(number);
  Found found = library.open(request);
  if (!found.sensor)
    throw std::runtime_error(request.device.uuid + ": " + found.source.unavailable);
  return found;
}

struct Sampled {
  const GpuLibrary* gpus = nullptr;
  int number = 0;
  std::string container;
};

TrackPtr track_of(const Sampled& sampled, std::size_t rows) {
  const std::string& container = sampled.container;
  CgroupFinder finder({});
  const auto colon = container.find(':');
  const auto paths =
      finder.by_process(container.substr(0, colon), std::atoi(container.c_str() + colon + 1));
  if (!paths) throw std::runtime_error("no control group of " + container);
  std::vector<Found> found;
  found.push_back(
      open_cgroup({.roots = {}, .paths = *paths, .source = "payload", .counts = Counts::on}));
  if (sampled.gpus)
    found.push_back(gpu_of(*sampled.gpus, sampled.number, container.substr(0, colon)));
  found.push_back(open_rapl({}));
  found.push_back(open_hwmon({}));
  std::size_t columns = 0;
  for (const Found& each : found) columns += each.columns.size();
  auto track = std::make_shared<Track>(rows, columns);
  columns = 0;
  for (Found& each : found) {
    track->places.push_back(
        {.sensor = std::move(each.sensor), .first = columns, .columns = each.columns.size()});
    columns += each.columns.size();
  }
  return track;
}

// The reading of a whole file of these rows.
campaign::TelemetryRecord record_of(Track& track, int interval_ms, std::int64_t begin) {
  const std::string file = "/tmp/perf-sampler-" + std::to_string(getpid()) + ".jsonl";
  std::string lines;
  append_telemetry(lines, campaign::TelemetryHeader{.interval_ms = interval_ms});
  track.ring.take(lines);
  append_telemetry(lines, campaign::TelemetryEnd{});
  std::ofstream(file) << lines;
  const auto now = campaign::system_clock().monotonic_ns();
  auto record =
      campaign::read_telemetry({.file = file, .window = {.begin_ns = begin, .end_ns = now}}).record;
  std::remove(file.c_str());
  return record;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5) return 2;
  const int interval_ms = std::atoi(argv[1]), seconds = std::atoi(argv[2]);
  const auto rows = static_cast<std::size_t>(seconds * 1000 / interval_ms + 100);
  Sampler sampler(interval_ms, campaign::system_clock());
  std::vector<TrackPtr> tracks;
  const std::unique_ptr<GpuLibrary> gpus = gpu_library(argv[3]);
  for (int i = 4; i < argc; ++i)
    tracks.push_back(track_of({.gpus = gpus.get(), .number = i - 4, .container = argv[i]}, rows));
  std::jthread thread([&](const std::stop_token& stop) { sampler.run(stop); });
  clockid_t clock{};
  pthread_getcpuclockid(thread.native_handle(), &clock);
  const std::int64_t begin = campaign::system_clock().monotonic_ns();
  for (const TrackPtr& track : tracks) sampler.add(track);
  const double before = cpu_seconds_of(clock);
  std::this_thread::sleep_for(std::chrono::seconds(seconds));
  const double used = cpu_seconds_of(clock) - before;
  double worst = 0;
  std::size_t samples = 0, missed = 0;
  for (const TrackPtr& track : tracks) {
    const auto record = record_of(*track, interval_ms, begin);
    worst = std::max(worst, record.jitter_p99_ms.value_or(0));
    samples += record.samples;
    missed += record.missed_ticks;
  }
  std::printf("%.4f %.6f %zu %zu\n", worst, used / seconds, samples / tracks.size(), missed);
  return 0;
}
