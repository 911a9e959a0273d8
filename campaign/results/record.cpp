#include <nlohmann/json.hpp>
#include <stdexcept>
#include <type_traits>

#include "campaign/metrics/text.hpp"
#include "campaign/results/results.hpp"

namespace campaign {
namespace {

using nlohmann::ordered_json;
using Json = ordered_json;  // what is read keeps its order

constexpr int schema_version = 1;
constexpr std::size_t longest_text = 64 * 1024;
constexpr std::int64_t largest_outcome = 1 << 20;

ordered_json put(const Outcome& outcome);
ordered_json put(const MeasureWindow& window);
ordered_json put(const MetricValue& metric);
ordered_json put(const MeasureWindow::Part& part);
ordered_json put(const TelemetryRecord& telemetry);
ordered_json put(const EnergyRecord& energy);
ordered_json put(const TelemetrySource& source);
ordered_json put(const EnvironmentRecord& environment) { return environment_json(environment); }
ordered_json put(const GpuEnergy& gpu);
ordered_json put(const GpuVerdicts& verdicts);

ordered_json put(const std::string& text) {
  const std::string clean = valid_utf8(std::string_view(text).substr(0, longest_text));
  return text.size() > longest_text ? clean + "..." : clean;
}
ordered_json put(FailureClass cls) { return name_of(cls); }
template <class T>
  requires std::is_arithmetic_v<T>
ordered_json put(T value) {
  return value;
}
template <class T>
ordered_json put(const std::optional<T>& value) {
  return value ? put(*value) : ordered_json();
}
template <class T>
ordered_json put(const std::vector<T>& values) {
  ordered_json list = ordered_json::array();
  for (const auto& value : values) list.push_back(put(value));
  return list;
}
template <class T>
ordered_json put(const std::map<std::string, T>& values) {
  ordered_json object = ordered_json::object();
  for (const auto& [key, value] : values) object[valid_utf8(key)] = put(value);
  return object;
}

void take(const Json& from, Outcome& outcome);
void take(const Json& from, MeasureWindow& window);
void take(const Json& from, MetricValue& metric);
void take(const Json& from, MeasureWindow::Part& part);
void take(const Json& from, TelemetryRecord& telemetry);
void take(const Json& from, EnergyRecord& energy);
void take(const Json& from, TelemetrySource& source);
void take(const Json& from, EnvironmentRecord& environment) {
  environment = environment_from(from);
}
void take(const Json& from, GpuEnergy& gpu);
void take(const Json& from, GpuVerdicts& verdicts);

void take(const Json& from, std::string& text) {
  if (!from.is_null()) text = from.get<std::string>();
}
void take(const Json& from, FailureClass& cls) {
  const auto found = failure_class(from.get<std::string>());
  if (!found) throw std::runtime_error("no failure class: " + shown(from.get<std::string>()));
  cls = *found;
}
template <class T>
  requires std::is_arithmetic_v<T>
void take(const Json& from, T& value) {
  if (!from.is_null()) value = from.get<T>();
}
template <class T>
void take(const Json& from, std::optional<T>& value) {
  if (!from.is_null()) take(from, value.emplace());
}
template <class T>
void take(const Json& from, std::vector<T>& values) {
  if (!from.is_array()) throw std::runtime_error("not a list");
  for (const auto& item : from) take(item, values.emplace_back());
}
template <class T>
void take(const Json& from, std::map<std::string, T>& values) {
  if (!from.is_object()) throw std::runtime_error("not an object");
  for (const auto& [key, item] : from.items()) take(item, values[key]);
}

struct Writer {
  ordered_json object = ordered_json::object();
  template <class T>
  void operator()(const char* name, const T& value) {
    object[name] = put(value);
  }
};

struct Reader {
  const Json& object;
  template <class T>
  void operator()(const char* name, T& value) const {
    const auto member = object.find(name);
    if (member == object.end()) return;
    try {
      take(*member, value);
    } catch (const std::exception& error) {
      throw std::runtime_error(std::string(name) + ": " + error.what());
    }
  }
};

template <class Archive, class Record>
void identity_fields(Archive& field, Record& r) {
  field("run", r.run);
  field("experiment", r.experiment);
  field("backend", r.backend);
  field("hash", r.hash);
  field("cycle", r.cycle);
  field("attempt", r.attempt);
  field("position", r.position);
  field("worker", r.worker);
  field("block", r.block);
  field("session", r.session);
  field("uid", r.uid);
  field("campaign_id", r.campaign_id);
}

template <class Archive, class Record>
void verdict_fields(Archive& field, Record& r) {
  field("state", r.state);
  field("class", r.cls);
  field("message", r.message);
  field("exit_code", r.exit_code);
  field("signal", r.signal);
  field("oom_killed", r.oom_killed);
  field("resumed", r.resumed);
  field("repeated", r.repeated);
  field("valid", r.valid);
  field("invalid_reason", r.invalid_reason);
  field("notes", r.notes);
}

template <class Archive, class Record>
void measured_fields(Archive& field, Record& r) {
  field("queue_wait", r.queue_wait);
  field("started_utc", r.started_utc);
  field("finished_utc", r.finished_utc);
  field("duration", r.duration);
  field("stages", r.stages);
  field("gap_seconds", r.gap_seconds);
  field("gap_reason", r.gap_reason);
  field("start_temperatures_c", r.start_temperatures_c);
  field("window", r.window);
  field("metrics", r.metrics);
  field("outcome", r.outcome);
  field("telemetry", r.telemetry);
  field("energy", r.energy);
  field("verdicts", r.verdicts);
}

template <class Archive, class Record>
void environment_fields(Archive& field, Record& r) {
  field("strategy", r.strategy);
  field("container_run", r.container_run);
  field("overlap", r.overlap);
  field("gpus", r.gpus);
  field("neighbours", r.neighbours);
  field("image", r.image);
  field("image_id", r.image_id);
  field("image_identity", r.image_identity);
  field("engine", r.engine);
  field("engine_version", r.engine_version);
  field("container_id", r.container_id);
  field("host", r.host);
  field("launcher", r.launcher);
  field("environment", r.environment);
}

template <class Archive, class Record>
void record_fields(Archive& field, Record& record) {
  identity_fields(field, record);
  verdict_fields(field, record);
  measured_fields(field, record);
  environment_fields(field, record);
}

template <class Archive, class Times>
void outcome_times(Archive& field, Times& o) {
  field("exit_code", o.exit_code);
  field("signal", o.signal);
  field("start_mono_ns", o.start_mono_ns);
  field("end_mono_ns", o.end_mono_ns);
  field("start_boottime", o.start_boottime);
  field("end_boottime", o.end_boottime);
  field("start_utc", o.start_utc);
  field("end_utc", o.end_utc);
  field("boot", o.boot);
  field("killed_descendants", o.killed_descendants);
  field("stopped_by", o.stopped_by);
}

ordered_json put(const Outcome& o) {
  Writer out;
  out("v", 1);
  outcome_times(out, o);
  auto& object = out.object;
  if (o.exec_errno != 0 || !o.exec_error.empty())
    object["exec_error"] = {{"errno", o.exec_errno}, {"message", put(o.exec_error)}};
  else
    object["exec_error"] = nullptr;
  object["rusage"] = {{"user_s", o.user_s}, {"system_s", o.system_s}, {"max_rss_kb", o.max_rss_kb}};
  object["stdout"] = {{"bytes", o.stdout_bytes}, {"kept", o.stdout_kept}};
  object["stderr"] = {{"bytes", o.stderr_bytes}, {"kept", o.stderr_kept}};
  object["window"] = {{"begin_mono_ns", put(o.window_begin_ns)},
                      {"end_mono_ns", put(o.window_end_ns)}};
  return object;
}

const Json& member(const Json& object, const char* name) {
  static const Json none = Json::object();
  const auto found = object.find(name);
  return found != object.end() && found->is_object() ? *found : none;
}

void take(const Json& from, Outcome& o) {
  if (!from.is_object()) throw std::runtime_error("not an object");
  const Reader in{from};
  outcome_times(in, o);
  Reader{member(from, "exec_error")}("errno", o.exec_errno);
  Reader{member(from, "exec_error")}("message", o.exec_error);
  Reader{member(from, "rusage")}("user_s", o.user_s);
  Reader{member(from, "rusage")}("system_s", o.system_s);
  Reader{member(from, "rusage")}("max_rss_kb", o.max_rss_kb);
  Reader{member(from, "stdout")}("bytes", o.stdout_bytes);
  Reader{member(from, "stdout")}("kept", o.stdout_kept);
  Reader{member(from, "stderr")}("bytes", o.stderr_bytes);
  Reader{member(from, "stderr")}("kept", o.stderr_kept);
  Reader{member(from, "window")}("begin_mono_ns", o.window_begin_ns);
  Reader{member(from, "window")}("end_mono_ns", o.window_end_ns);
}

ordered_json put(const MeasureWindow::Part& part) {
  return ordered_json::array({part.begin_ns, part.end_ns});
}

ordered_json put(const MeasureWindow& window) {
  ordered_json object = {{"source", name_of(window.source)},
                         {"seconds", window.seconds},
                         {"begin_mono_ns", window.begin_ns},
                         {"end_mono_ns", window.end_ns}};
  if (!window.parts.empty()) object["parts"] = put(window.parts);
  return object;
}

void take(const Json& from, MeasureWindow::Part& part) {
  part = {from.at(0).get<std::int64_t>(), from.at(1).get<std::int64_t>()};
}

void take(const Json& from, MeasureWindow& window) {
  using Source = MeasureWindow::Source;
  if (!from.is_object()) throw std::runtime_error("not an object");
  const std::string source = from.value("source", "process");
  for (const Source known : {Source::phase, Source::pattern, Source::process})
    if (source == name_of(known)) window.source = known;
  if (source != name_of(window.source)) throw std::runtime_error("no source: " + shown(source));
  const Reader in{from};
  in("seconds", window.seconds);
  in("begin_mono_ns", window.begin_ns);
  in("end_mono_ns", window.end_ns);
  in("parts", window.parts);
}

ordered_json put(const MetricValue& metric) {
  ordered_json object = {
      {"name", put(metric.name)},
      {"value", metric.value},
      {"unit", put(metric.unit)},
      {"better", metric.better == Direction::unspecified ? ordered_json()
                                                         : ordered_json(name_of(metric.better))},
      {"primary", metric.primary}};
  if (metric.sampled) object["sampled"] = true;
  return object;
}

ordered_json put(const TelemetrySource& source) {
  ordered_json object = {{"name", put(source.name)}, {"kind", put(source.kind)}};
  if (!source.unavailable.empty()) object["unavailable"] = put(source.unavailable);
  if (!source.device.empty()) object["device"] = put(source.device);
  if (!source.parent.empty()) object["parent"] = put(source.parent);
  return object;
}

template <class Archive, class Telemetry>
void telemetry_fields(Archive& field, Telemetry& t) {
  field("status", t.status);
  field("reason", t.reason);
  field("interval_ms", t.interval_ms);
  field("samples", t.samples);
  field("missed_ticks", t.missed_ticks);
  field("jitter_p99_ms", t.jitter_p99_ms);
  field("longest_gap_s", t.longest_gap_s);
  field("sources", t.sources);
}

ordered_json put(const TelemetryRecord& telemetry) {
  Writer out;
  telemetry_fields(out, telemetry);
  return out.object;
}

template <class Archive, class Record>
void energy_fields(Archive& field, Record& e) {
  field("unavailable", e.reason);
  field("raw_j", e.raw_j);
  field("adjusted_j", e.adjusted_j);
  field("domains_j", e.domains_j);
  field("stages_j", e.stages_j);
  field("gpus", e.gpus);
  field("uncertainty_j", e.uncertainty_j);
  field("missing", e.missing);
  field("baseline_power_w", e.baseline_power_w);
  field("baseline_method", e.baseline_method);
  field("baseline_utc", e.baseline_utc);
  field("baseline_cache_age_s", e.baseline_cache_age_s);
}

template <class Archive, class Gpu>
void gpu_energy_fields(Archive& field, Gpu& g) {
  field("device", g.device);
  field("method", g.method);
  field("counter_j", g.counter_j);
  field("power_j", g.power_j);
  field("uncertainty_j", g.uncertainty_j);
}

ordered_json put(const GpuEnergy& gpu) {
  Writer out;
  gpu_energy_fields(out, gpu);
  return out.object;
}

void take(const Json& from, GpuEnergy& gpu) {
  const Reader in{from};
  gpu_energy_fields(in, gpu);
}

template <class Archive, class Verdicts>
void gpu_verdict_fields(Archive& field, Verdicts& v) {
  field("throttled", v.throttled);
  field("held_down_s", v.held_down_s);
  field("foreign", v.foreign);
  field("unused", v.unused);
  field("clock_drift_pct", v.clock_drift_pct);
  field("clock_drifted", v.clock_drifted);
  field("unavailable", v.unavailable);
}

ordered_json put(const GpuVerdicts& verdicts) {
  Writer out;
  gpu_verdict_fields(out, verdicts);
  return out.object;
}

void take(const Json& from, GpuVerdicts& verdicts) {
  if (!from.is_object()) throw std::runtime_error("not an object");
  const Reader in{from};
  gpu_verdict_fields(in, verdicts);
}

ordered_json put(const EnergyRecord& energy) {
  Writer out;
  energy_fields(out, energy);
  if (energy.reason.empty()) out.object["unavailable"] = nullptr;
  return out.object;
}

void take(const Json& from, EnergyRecord& energy) {
  if (!from.is_object()) throw std::runtime_error("not an object");
  const Reader in{from};
  energy_fields(in, energy);
}

void take(const Json& from, TelemetrySource& source) {
  const Reader in{from};
  in("name", source.name);
  in("kind", source.kind);
  in("unavailable", source.unavailable);
  in("device", source.device);
  in("parent", source.parent);
}

void take(const Json& from, TelemetryRecord& telemetry) {
  if (!from.is_object()) throw std::runtime_error("not an object");
  const Reader in{from};
  telemetry_fields(in, telemetry);
}

void take(const Json& from, MetricValue& metric) {
  if (!from.is_object()) throw std::runtime_error("not an object");
  const Reader in{from};
  std::optional<std::string> better;
  in("name", metric.name);
  in("value", metric.value);
  in("unit", metric.unit);
  in("better", better);
  in("primary", metric.primary);
  in("sampled", metric.sampled);
  if (better)
    metric.better = *better == name_of(Direction::higher)  ? Direction::higher
                    : *better == name_of(Direction::lower) ? Direction::lower
                                                           : Direction::unspecified;
}

// Records of early versions have these two as members of their own.
void take_early_environment(const Reader& in, RunRecord& record) {
  std::string cpu, kernel;
  in("node_cpu", cpu);
  in("kernel", kernel);
  if (record.environment || (cpu.empty() && kernel.empty())) return;
  EnvironmentRecord& environment = record.environment.emplace();
  if (!kernel.empty())
    environment.groups.push_back({.name = "host", .facts = {Fact::of("kernel", kernel)}});
  if (!cpu.empty())
    environment.groups.push_back({.name = "cpu", .facts = {Fact::of("model", cpu)}});
}

}  // namespace

std::string write_run_record(const RunRecord& record) {
  Writer out;
  out("schema_version", schema_version);
  record_fields(out, record);
  return out.object.dump(1) + "\n";
}

RunRecord read_run_record(const std::string& text) {
  const Json object = Json::parse(text, nullptr, false);
  if (!object.is_object()) throw std::runtime_error("run record: not a whole JSON object");
  for (const char* needed : {"schema_version", "run", "attempt", "state"})
    if (!object.contains(needed))
      throw std::runtime_error(std::string("run record: ") + needed + " is missing");
  const Json& version = object["schema_version"];
  if (version != schema_version)
    throw std::runtime_error("run record: schema_version " +
                             (version.is_primitive() ? shown(version.dump()) : "is no number") +
                             ", this program reads 1");
  RunRecord record;
  const Reader in{object};
  try {
    record_fields(in, record);
    take_early_environment(in, record);
  } catch (const std::exception& error) {
    throw std::runtime_error(std::string("run record: ") + error.what());
  }
  return record;
}

std::optional<Outcome> read_outcome(const std::filesystem::path& ctl_folder) {
  const Fd fd = open_regular(ctl_folder / "outcome.json");
  if (!fd) return std::nullopt;
  try {
    const Json object = Json::parse(read_all(fd.get(), largest_outcome));
    if (object.at("v") != 1) return std::nullopt;
    Outcome outcome;
    take(object, outcome);
    return outcome;
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

}  // namespace campaign
