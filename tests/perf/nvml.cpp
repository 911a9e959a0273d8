// What a real NVIDIA GPU costs to sample: how long each call takes, how often its energy counter is
// brought up to date, and what the sampler's thread takes with all GPUs at 10 Hz. Prints a line for
// each.
//
// usage: perf_nvml SECONDS [LIBRARY]
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "controller/gpu/nvml.hpp"
#include "controller/telemetry/gpu_sensors.hpp"
#include "controller/telemetry/sampler.hpp"

namespace {

using namespace controller::telemetry;
using controller::gpu::Nvml;

std::int64_t now_ns() { return campaign::system_clock().monotonic_ns(); }

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values.empty() ? 0 : values[values.size() / 2];
}

struct Call {
  const char* name;
  Nvml::Sample sample;
};
constexpr Call calls[] = {{"power", Nvml::Sample::power_w},
                          {"energy", Nvml::Sample::energy_j},
                          {"temperature", Nvml::Sample::temperature_c},
                          {"SM clock", Nvml::Sample::sm_clock_mhz},
                          {"memory clock", Nvml::Sample::memory_clock_mhz},
                          {"utilisation", Nvml::Sample::utilisation_pct},
                          {"memory", Nvml::Sample::memory_bytes},
                          {"clock events", Nvml::Sample::clock_events},
                          {"thermal violation", Nvml::Sample::thermal_violation_s},
                          {"power violation", Nvml::Sample::power_violation_s}};

template <class Work>
double microseconds_of(const Work& work) {
  constexpr int rounds = 200;
  std::vector<double> times;
  for (int i = 0; i < rounds; ++i) {
    const std::int64_t begin = now_ns();
    work();
    times.push_back(static_cast<double>(now_ns() - begin) * 1e-3);
  }
  return median(times);
}

void tell_costs(const Nvml& nvml, Nvml::Handle device) {
  double value = 0;
  for (const Call& call : calls) {
    const int code = nvml.sample(call.sample, device, value);
    if (code != 0) {
      std::printf("%-18s %s\n", call.name, nvml.why(call.sample, code).c_str());
      continue;
    }
    const double cost = microseconds_of([&] { nvml.sample(call.sample, device, value); });
    std::printf("%-18s %8.1f us  (last value %.3f)\n", call.name, cost, value);
  }
  std::array<std::uint32_t, Nvml::most_pids> pids;
  std::size_t count = 0;
  const double cost = microseconds_of([&] { nvml.compute_pids(device, pids, count); });
  std::printf("%-18s %8.1f us  (%zu processes)\n", "compute processes", cost, count);
}

// Asks without a pause, for so long.
void tell_step(const Nvml& nvml, Nvml::Handle device, double seconds) {
  double last = 0, value = 0;
  std::int64_t changed = 0;
  std::vector<double> periods, steps;
  const std::int64_t until = now_ns() + static_cast<std::int64_t>(seconds * 1e9);
  while (now_ns() < until && nvml.sample(Nvml::Sample::energy_j, device, value) == 0) {
    if (value == last) continue;
    if (changed != 0) {
      periods.push_back(static_cast<double>(now_ns() - changed) * 1e-6);
      steps.push_back(value - last);
    }
    changed = now_ns();
    last = value;
  }
  std::printf("energy counter     %8.1f ms between steps of %.3f J (medians of %zu)\n",
              median(periods), median(steps), steps.size());
}

// One track for each GPU, as for a run that has one.
std::vector<TrackPtr> tracks_of(const GpuLibrary& library, const std::vector<std::string>& uuids,
                                std::size_t rows) {
  std::vector<TrackPtr> tracks;
  for (const std::string& uuid : uuids) {
    GpuRequest request{.roots = {},
                       .device = {},
                       .source = "gpu0",
                       .processes = nullptr,
                       .clock = &campaign::system_clock()};
    request.device.uuid = uuid;
    Found found = library.open(request);
    auto track = std::make_shared<Track>(rows, gpu_columns);
    track->places.push_back(
        {.sensor = std::move(found.sensor), .first = 0, .columns = gpu_columns});
    tracks.push_back(std::move(track));
  }
  return tracks;
}

double cpu_seconds_of(clockid_t clock) {
  timespec used{};
  clock_gettime(clock, &used);
  return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) * 1e-9;
}

void tell_sampler(const std::string& name, const std::vector<std::string>& uuids, int seconds) {
  constexpr int interval_ms = 100;
  const GpuLibrary library(name);
  while (!library.answered()) std::this_thread::yield();
  Sampler sampler(interval_ms, campaign::system_clock());
  const auto tracks = tracks_of(library, uuids, static_cast<std::size_t>(seconds * 10 + 100));
  std::jthread thread([&](const std::stop_token& stop) { sampler.run(stop); });
  clockid_t clock{};
  pthread_getcpuclockid(thread.native_handle(), &clock);
  for (const TrackPtr& track : tracks) sampler.add(track);
  std::this_thread::sleep_for(std::chrono::seconds(seconds));
  std::printf("sampler            %8.3f %% of a core, %zu rows of each of %zu GPUs\n",
              cpu_seconds_of(clock) / seconds * 100, tracks.front()->ring.size(), tracks.size());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  const int seconds = std::atoi(argv[1]);
  const std::string name = argc > 2 ? argv[2] : controller::gpu::nvml_library;
  const auto opened = Nvml::open(name);
  if (!opened.nvml) {
    std::fprintf(stderr, "%s\n", opened.why.c_str());
    return 1;
  }
  std::vector<std::string> uuids;
  for (unsigned i = 0; i < opened.nvml->count().value.value_or(0); ++i)
    uuids.push_back(*opened.nvml->uuid(*opened.nvml->device(i)));
  if (uuids.empty()) return 1;
  const auto first = *opened.nvml->device(0);
  std::printf("%s, driver %s\n", opened.nvml->name(first).value.value_or("").c_str(),
              opened.nvml->driver_version().value.value_or("").c_str());
  tell_costs(*opened.nvml, first);
  tell_step(*opened.nvml, first, seconds);
  tell_sampler(name, uuids, seconds);
  return 0;
}
