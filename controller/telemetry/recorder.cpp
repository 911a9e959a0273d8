#include "controller/telemetry/recorder.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "controller/supervise/async_executor.hpp"
#include "controller/supervise/thread_executor.hpp"
#include "controller/telemetry/engine_stats.hpp"
#include "controller/telemetry/gpu_sensors.hpp"
#include "controller/telemetry/host_sensors.hpp"
#include "controller/telemetry/process_tree.hpp"

namespace controller::telemetry {

namespace {

constexpr int ms_per_minute = 60'000;
constexpr double seconds_between_writes = 10;

// A minute of rows: they are fetched every few seconds.
std::size_t rows_for(int interval_ms) {
  return std::clamp<std::size_t>(static_cast<std::size_t>(ms_per_minute / interval_ms), 64, 8192);
}

Found unavailable(campaign::TelemetrySource source,
                  std::vector<campaign::TelemetryColumn> columns) {
  return {.source = std::move(source), .columns = std::move(columns), .sensor = nullptr};
}

// What was measured is gone, as it is to be once the attempt has ended.
bool is_gone(int failure) { return failure == ENOENT || failure == ENODEV || failure == ESRCH; }

constexpr char at_rest[] = "at rest";  // no attempt has this name

// By a controller that was killed afterwards: nothing is left to sample.
bool was_sampled(const campaign::ResultsFolder& results, const Attempt& attempt) {
  return attempt.started && has_ended(results.telemetry(attempt.name())) &&
         campaign::read_outcome(results.ctl(attempt.name()));
}

// The supervisor of the service that asks the engine.
std::string name_of_stats(const std::string& attempt, const std::string& source) {
  return "telemetry of " + attempt + ": " + source;
}

bool by_container(const Attempt& attempt) { return !attempt.container_name.empty(); }

}  // namespace

struct Recorder::Recording {
  std::unique_ptr<TelemetryFile> file;
  campaign::TelemetryHeader header;
  TrackPtr track;
  double written = 0;  // boottime of the last write
  std::int64_t started_ns = 0, ended_ns = 0;
  std::shared_ptr<RunProcesses> processes = std::make_shared<RunProcesses>();
  bool awaited = false;  // the payload's source is found once it runs
  bool resumed = false;  // it ran before

  // The place and the columns of a source in every row.
  void add(const Found& found, SensorPtr sensor) {
    Track::Place& place = places.emplace_back();
    place.first = header.columns.size();
    place.columns = found.columns.size();
    place.sensor = std::move(sensor);
    header.sources.push_back(found.source);
    header.columns.insert(header.columns.end(), found.columns.begin(), found.columns.end());
  }
  std::vector<Track::Place> places;  // moved into the track
};

Recorder::Recorder(RecorderParts parts)
    : parts_(std::move(parts)),
      sampler_(std::make_shared<Sampler>(parts_.settings->interval_ms, *parts_.clock)),
      finder_(parts_.roots),
      baseline_(parts_.baseline_file, parts_.host_name, *parts_.clock) {
  if (parts_.settings->reads("rapl")) host_found_.push_back(open_rapl(parts_.roots));
  if (parts_.settings->reads("hwmon")) host_found_.push_back(open_hwmon(parts_.roots));
  for (Found& found : host_found_) host_sensors_.emplace_back(std::move(found.sensor));
}

Recorder::~Recorder() { sampler_->abandon(); }

Recorder::Recording* Recorder::find(const Attempt& attempt) {
  const auto found = recordings_.find(attempt.name());
  return found == recordings_.end() ? nullptr : found->second.get();
}

// A thread that was given up ends by itself, if ever; its supervisor is told to let it be.
void Recorder::begin_thread() {
  const auto name = [](int n) {
    return n == 1 ? std::string("telemetry") : "telemetry " + std::to_string(n);
  };
  if (supervise::Supervisor* before = threads_ > 0 ? parts_.host->find(name(threads_)) : nullptr)
    before->stop();
  ++threads_;
  const auto body = [sampler = sampler_](supervise::ServiceContext& context) -> Task<> {
    sampler->run(context.token());
    co_return;
  };
  std::vector<supervise::Service> services;
  services.push_back(
      {.policy = {.name = "sampler",
                  .restart = supervise::Restart::transient,
                  .stop_within = 1,
                  .kill_within = 1},
       .executor = std::make_unique<supervise::ThreadExecutor>(parts_.host->io(), body)});
  parts_.host->add({.name = name(threads_)}, std::move(services));
}

// While it is recorded, and the host takes services.
Task<Found> Recorder::ask_engine(ContainerSource from) {
  const std::string name = name_of_stats(from.attempt, from.source);
  co_await parts_.host->remove(name);
  EngineStats stats =
      open_engine_stats({.engine = parts_.engine,
                         .container = std::move(from.id),
                         .source = std::move(from.source),
                         .counts = from.counts,
                         .clock = parts_.clock,
                         .on_answer = [sampler = sampler_] { sampler->read_now(); }});
  if (parts_.host->closing()) co_return std::move(stats.found);
  std::vector<supervise::Service> services;
  services.push_back({.policy = {.name = "engine stats",
                                 .restart = supervise::Restart::transient,
                                 .stop_within = 1,
                                 .kill_within = 1},
                      .executor = std::make_unique<supervise::AsyncExecutor>(
                          parts_.host->io(), std::move(stats.asking))});
  parts_.host->add({.name = name}, std::move(services));
  co_return std::move(stats.found);
}

Task<Found> Recorder::container_source(ContainerSource from) {
  auto paths = finder_.known(from.id);
  std::string why;
  try {
    if (!paths) {
      const container::ContainerState state = co_await parts_.engine->inspect(from.id);
      if (state.pid <= 0) why = "it had ended before it was found";
      if (state.pid > 0) paths = finder_.by_process(from.id, state.pid);
    }
  } catch (const container::EngineError& error) {
    why = error.what();
  }
  if (!why.empty())
    co_return unavailable({.name = from.source, .unavailable = why},
                          columns_of(from.source, from.counts));
  if (paths) {
    Found found = open_cgroup({.roots = parts_.roots,
                               .paths = std::move(*paths),
                               .source = from.source,
                               .counts = from.counts});
    if (found.sensor) co_return found;
  }
  co_return co_await ask_engine(std::move(from));
}

Task<Found> Recorder::source_of_payload(const Attempt& attempt) {
  if (!by_container(attempt))
    co_return open_process_tree({.roots = parts_.roots, .root = attempt.pid, .source = "payload"});
  const Counts counts = attempt.service.empty() ? Counts::from_zero : Counts::on;
  co_return co_await container_source({.id = attempt.container_id,
                                       .attempt = attempt.name(),
                                       .source = "payload",
                                       .counts = counts});
}

// A library that did not answer in time is looked at again by those that come later, who do not
// wait.
Task<> Recorder::add_gpus(Recording& recording, Devices devices) {
  if (devices.empty() || !parts_.settings->reads("nvml")) co_return;
  constexpr double step = 0.01;
  if (!gpus_) {
    gpus_ = std::make_unique<GpuLibrary>(parts_.nvml);
    gpus_until_ = parts_.clock->boottime() + parts_.nvml_patience;
  }
  while (!gpus_->answered() && parts_.clock->boottime() < gpus_until_)
    co_await parts_.wake->wait(step);
  for (std::size_t i = 0; i < devices.size(); ++i) {
    Found found = gpus_->open({.roots = parts_.roots,
                               .device = devices[i],
                               .source = "gpu" + std::to_string(i),
                               .processes = recording.processes,
                               .clock = parts_.clock});
    recording.add(found, std::move(found.sensor));
  }
}

void Recorder::add_host_sources(Recording& recording) {
  for (std::size_t i = 0; i < host_found_.size(); ++i) {
    Found& found = host_found_[i];
    if (found.columns.size() > most_columns) {
      found.source.unavailable = "more than " + std::to_string(most_columns) + " values";
      found.columns.clear();
      host_sensors_[i].reset();
    }
    recording.add(found, host_sensors_[i]);
  }
}

std::unique_ptr<Recorder::Recording> Recorder::open(const std::string& name,
                                                    TelemetryFile::How how) {
  auto recording = std::make_unique<Recording>();
  recording->file = std::make_unique<TelemetryFile>(parts_.results.telemetry(name), how);
  recording->resumed = how == TelemetryFile::How::go_on;
  recording->header = {.run = name,
                       .boot = parts_.clock->boot_id(),
                       .interval_ms = parts_.settings->interval_ms,
                       .utc = parts_.clock->utc(),
                       .mono_ns = parts_.clock->monotonic_ns()};
  return recording;
}

TrackPtr Recorder::track(const std::string& name, std::unique_ptr<Recording> recording) {
  add_host_sources(*recording);
  recording->track = std::make_shared<Track>(rows_for(parts_.settings->interval_ms),
                                             recording->header.columns.size());
  recording->track->places = std::move(recording->places);
  sampler_->add(recording->track);
  if (threads_ == 0) begin_thread();
  return (recordings_[name] = std::move(recording))->track;
}

void Recorder::write_header(Recording& recording) {
  std::string lines;
  append_telemetry(lines, recording.header);
  recording.file->append(lines);
  recording.written = parts_.clock->boottime();
  recording.started_ns = parts_.clock->monotonic_ns();
}

void Recorder::take_baseline(const Attempt& attempt) {
  const campaign::Energy& settings = *parts_.energy;
  at_begin_.erase(attempt.name());
  const std::vector<std::string> domains = domains_of(attempt.devices);
  if (settings.on() && settings.baseline.enabled &&
      baseline_.holds(domains, settings.baseline.cache_ttl_sec))
    at_begin_[attempt.name()] = baseline_.take(domains);
}

void Recorder::disturb_rest() {
  rest_disturbed_ = true;
  if (resting_) parts_.wake->notify();
}

std::shared_ptr<void> Recorder::busy() {
  disturb_rest();
  return busy_;
}

// Its file is being placed beside its results, where another one would take its place.
bool Recorder::is_decided(const Attempt& attempt) const {
  return attempt.started && campaign::decided_record(parts_.results, attempt.run, attempt.number);
}

Task<> Recorder::begin(const Attempt& attempt) {
  disturb_rest();
  if (attempt.pilot || is_decided(attempt)) co_return;
  take_baseline(attempt);
  if (was_sampled(parts_.results, attempt)) co_return;
  auto recording = open(attempt.name(),
                        attempt.started ? TelemetryFile::How::go_on : TelemetryFile::How::afresh);
  if (parts_.settings->reads("payload")) {
    recording->awaited = by_container(attempt) && attempt.service.empty();
    Found found = recording->awaited
                      ? unavailable({.name = "payload"}, columns_of("payload", Counts::from_zero))
                      : co_await source_of_payload(attempt);
    recording->add(found, std::move(found.sensor));
    if (!attempt.server_id.empty()) {
      Found server = co_await container_source({.id = attempt.server_id,
                                                .attempt = attempt.name(),
                                                .source = "server",
                                                .counts = Counts::on});
      recording->add(server, std::move(server.sensor));
    }
  }
  co_await add_gpus(*recording, attempt.devices);
  const TrackPtr tracked = track(attempt.name(), std::move(recording));
  co_await within(parts_.first_row_patience, [&] { return tracked->ring.size() > 0; });
}

void Recorder::drop(const Attempt& attempt) {
  const auto recording = recordings_.extract(attempt.name());
  if (recording.empty()) return;
  sampler_->forget(*recording.mapped()->track);
  remove_file(attempt.name());
}

void Recorder::remove_file(const std::string& name) const {
  std::error_code nobody_minds;
  std::filesystem::remove(parts_.results.telemetry(name), nobody_minds);
}

// Whose processes are the run's is known where its container or its process is to be seen here.
void Recorder::tell_processes(Recording& recording, const Attempt& attempt) {
  if (recording.header.sources.empty() || recording.processes->known) return;
  const campaign::TelemetrySource& payload = recording.header.sources.front();
  if (payload.name != "payload" || !payload.seen_here()) return;
  RunProcesses& processes = *recording.processes;
  for (const std::string& id : {attempt.container_id, attempt.server_id})
    if (!id.empty()) processes.containers.push_back(id);
  if (!by_container(attempt)) processes.root = static_cast<int>(attempt.pid);
  processes.elsewhere = attempt.runner && !attempt.runner->launch.empty();
  processes.known.store(true, std::memory_order_release);
}

Task<> Recorder::started(const Attempt& attempt) {
  Recording* recording = find(attempt);
  if (!recording) co_return;
  if (recording->awaited) {
    Found found = co_await source_of_payload(attempt);
    recording = find(attempt);
    if (!recording) co_return;
    recording->awaited = false;
    recording->header.sources.front() = found.source;
    std::ranges::copy(found.columns, recording->header.columns.begin());
    if (found.sensor) sampler_->join(*recording->track, 0, std::move(found.sensor));
  }
  tell_processes(*recording, attempt);
  write_header(*recording);
}

void Recorder::ended(const Attempt& attempt) {
  if (Recording* recording = find(attempt)) end(*recording);
}

void Recorder::end(Recording& recording) {
  if (recording.ended_ns > 0) return;
  recording.ended_ns = parts_.clock->monotonic_ns();
  sampler_->close(*recording.track);
}

// Until the sampler's thread has done something; one that a sensor holds is not waited for long.
Task<> Recorder::within(double seconds, std::function<bool()> done) {
  constexpr double step = 0.0005;
  const double begin = parts_.clock->boottime();
  while (!done() && parts_.clock->boottime() - begin < seconds) co_await parts_.wake->wait(step);
}

void Recorder::write_end(Recording& recording) {
  std::string lines;
  recording.track->ring.take(lines);
  campaign::TelemetryEnd end{.lost_rows = recording.track->ring.lost(), .failures = {}};
  for (std::size_t i = 0; i < recording.header.sources.size(); ++i) {
    const Track::Place place = sampler_->place(*recording.track, i);
    std::string& why = end.failures[recording.header.sources[i].name];
    if (place.hung) why = "a reading did not come back";
    if (place.failure && !is_gone(place.failure)) why = std::strerror(place.failure);
  }
  std::erase_if(end.failures, [](const auto& failure) { return failure.second.empty(); });
  append_telemetry(lines, end);
  recording.file->append(lines);
}

Task<campaign::TelemetryReading> Recorder::finish(std::string name, What what) {
  Recording& recording = *recordings_.at(name);
  end(recording);
  for (const campaign::TelemetrySource& source : recording.header.sources)
    co_await parts_.host->remove(name_of_stats(name, source.name));
  co_await within(1, [&] { return sampler_->closed(*recording.track); });
  sampler_->forget(*recording.track);
  write_end(recording);
  if (what.window.begin_ns == 0 && what.window.end_ns == 0) {
    what.window.begin_ns = recording.started_ns;
    what.window.end_ns = recording.ended_ns;
  }
  campaign::TelemetryReading reading =
      campaign::read_telemetry({.file = parts_.results.telemetry(name),
                                .window = std::move(what.window),
                                .process = what.process,
                                .resumed = recording.resumed});
  if (!recording.file->problem().empty()) reading.record.reason = recording.file->problem();
  recordings_.erase(name);
  co_return reading;
}

Task<std::optional<campaign::TelemetryReading>> Recorder::collect(const Attempt& attempt,
                                                                  What what) {
  std::optional<campaign::TelemetryReading> reading;
  if (find(attempt))
    reading = co_await finish(attempt.name(), std::move(what));
  else if (was_sampled(parts_.results, attempt))
    reading = campaign::read_telemetry({.file = parts_.results.telemetry(attempt.name()),
                                        .window = std::move(what.window),
                                        .process = what.process});
  else
    co_return std::nullopt;
  if (!parts_.settings->save) remove_file(attempt.name());
  co_return reading;
}

std::optional<campaign::EnergyRecord> Recorder::energy(const Attempt& attempt,
                                                       const campaign::TelemetryReading& reading,
                                                       const campaign::MeasureWindow& window) {
  if (!parts_.energy->on()) return std::nullopt;
  std::optional<campaign::EnergyBaseline> baseline;
  if (auto known = at_begin_.extract(attempt.name())) baseline = std::move(known.mapped());
  campaign::EnergyRecord record = campaign::energy_of({.settings = parts_.energy,
                                                       .reading = &reading,
                                                       .window = window,
                                                       .gpus = attempt.devices.size(),
                                                       .baseline = std::move(baseline)});
  energy_seen_ = energy_seen_ || record.raw_j.has_value();
  return record;
}

std::vector<std::string> Recorder::domains_of(const Devices& devices) const {
  constexpr std::string_view rapl = "rapl.";
  std::vector<std::string> domains;
  if (parts_.energy->reads("rapl"))
    for (const Found& found : host_found_)
      for (const campaign::TelemetryColumn& column : found.columns)
        if (column.name.starts_with(rapl)) domains.push_back(column.name.substr(rapl.size()));
  if (!parts_.energy->reads("nvml") || !parts_.settings->reads("nvml")) return domains;
  for (const gpu::Device& device : devices) {
    const std::string& whole = device.parent.empty() ? device.uuid : device.parent;
    if (std::ranges::find(domains, whole) == domains.end()) domains.push_back(whole);
  }
  return domains;
}

double Recorder::seconds_of_rest(const Devices& devices) const {
  const campaign::Energy& settings = *parts_.energy;
  const bool likely = settings.enabled == campaign::Energy::Enabled::yes || energy_seen_ ||
                      settings.allow_process_window || parts_.windows_declared;
  const double ttl = settings.baseline.cache_ttl_sec, now = parts_.clock->boottime();
  const std::vector<std::string> domains = domains_of(devices);
  const auto tried = [&](const std::string& domain) {
    const auto last = rest_tried_.find(domain);
    return last != rest_tried_.end() && now - last->second < ttl;
  };
  const bool under_way = !recordings_.empty() || busy_.use_count() > 1;
  if (!settings.on() || !settings.baseline.enabled || !likely || resting_ || under_way ||
      std::ranges::all_of(domains, tried) || baseline_.holds(domains, ttl))
    return 0;
  return settings.baseline.duration_sec;
}

// Some of these domains can be read by this recording, and has no power at rest yet.
bool Recorder::learns_from(const Recording& recording, std::vector<std::string> domains) const {
  for (const campaign::TelemetrySource& source : recording.header.sources)
    if (!source.device.empty() && !source.unavailable.empty())
      std::erase(domains, source.parent.empty() ? source.device : source.parent);
  return !baseline_.holds(domains, parts_.energy->baseline.cache_ttl_sec);
}

Task<> Recorder::measure_rest(Devices devices, std::function<bool()> stop) {
  const double length = seconds_of_rest(devices);
  const std::vector<std::string> domains = domains_of(devices);
  for (const std::string& domain : domains) rest_tried_[domain] = parts_.clock->boottime();
  rest_disturbed_ = false;
  resting_ = true;
  auto recording = open(at_rest, TelemetryFile::How::afresh);
  co_await add_gpus(*recording, std::move(devices));
  const bool learns = learns_from(*recording, domains);
  track(at_rest, std::move(recording));
  write_header(*recordings_.at(at_rest));
  const double until = parts_.clock->boottime() + length;
  const auto ends = [&] { return !learns || stop() || rest_disturbed_; };
  for (double left = 1; !ends() && (left = until - parts_.clock->boottime()) > 0;)
    co_await parts_.wake->wait(left);
  const campaign::TelemetryReading reading = co_await finish(at_rest, {});
  resting_ = false;
  const auto watts = campaign::mean_watts(*parts_.energy, reading);
  const bool whole = !stop() && !rest_disturbed_;
  for (const std::string& domain : domains)
    if (!whole) rest_tried_.erase(domain);
  try {
    if (!watts.empty() && whole && learns) baseline_.keep(watts);
  } catch (const std::system_error&) {
    // It is known all the same, only not to the next controller.
  }
  remove_file(at_rest);
}

void Recorder::look() {
  if (!recordings_.empty() && sampler_->give_up_what_hangs()) begin_thread();
  const double now = parts_.clock->boottime();
  for (auto& [attempt, recording] : recordings_) {
    const RowRing& ring = recording->track->ring;
    const bool due = now - recording->written > seconds_between_writes;
    const bool headed = recording->written > 0;
    if (!headed || (!due && ring.size() < ring.capacity() / 4)) continue;
    std::string lines;
    recording->track->ring.take(lines);
    recording->file->append(lines);
    recording->written = now;
  }
}

}  // namespace controller::telemetry
