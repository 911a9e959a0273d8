// A campaign file after decoding: plain data, every default filled in. Durations are seconds, sizes
// bytes. The one table of fields that decodes it is fields.cpp; loader.hpp reads the file.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "campaign/config/gpu_wish.hpp"

namespace campaign {

enum class RunnerType { docker, compose, local };
enum class PullPolicy { missing, always, never };
// ephemeral: a container for each run; persistent: one that is held alive, each run an exec in it.
enum class Strategy { ephemeral, persistent };
const char* name_of(Strategy strategy);
enum class ServerReuse { run, while_same };
enum class Structure { shuffled, interleaved, grouped, balanced };
enum class Overlap { gap, always };
// Which devices an experiment gets: in every cycle the same; each equally often; any that is free.
enum class GpuPlacement { same, rotate, any };

// A command line: as an argv list, or (shell) one string for `sh -c`. Templates: placeholders are
// not filled in yet.
using Argv = std::vector<std::string>;

struct Ulimit {
  std::string name;
  std::int64_t soft = 0;
  std::int64_t hard = 0;
  bool operator==(const Ulimit&) const = default;
};

// One mount in docker's short form "SOURCE:TARGET[:ro]"; a source with a slash or dot is a host
// path, made absolute against the campaign file's folder; else it is a named volume.
struct Volume {
  std::string source;
  std::string target;
  bool read_only = false;
  bool operator==(const Volume&) const = default;
};

struct Window {
  std::string begin;  // POSIX extended regular expressions on standard output; both or neither
  std::string end;
  bool operator==(const Window&) const = default;
};

// When a server counts as ready: one of http, tcp, exec and log.
struct Ready {
  std::string http, tcp;  // "[HOST]:PORT/PATH", "[HOST]:PORT", asked from inside its container
  Argv exec;              // exits with 0
  std::string log;        // POSIX extended regular expression on a line of its output
  double timeout = 300;
  bool operator==(const Ready&) const = default;
};

// What runs beside a client, which reaches it as the host `server`.
struct Server {
  std::string image;    // "" = the runner's
  std::string service;  // of the compose file; "" = the runner's
  Argv command;         // empty = the image's
  std::map<std::string, std::string> env;
  std::vector<std::string> ports;  // published on the host: "8000", "8080:8000", "127.0.0.1:..."
  std::optional<Ready> ready;      // none = it runs
  ServerReuse reuse = ServerReuse::run;
  bool operator==(const Server&) const = default;
};

struct Runner {
  RunnerType type = RunnerType::docker;
  std::string image;
  std::string service;  // of the compose file; "" = the one that has the backend's name
  PullPolicy pull = PullPolicy::missing;
  Argv command;
  std::optional<Argv> entrypoint;  // none = the image's
  std::string workdir;
  std::map<std::string, std::string>
      env;                            // ${VAR} kept as written, filled in when a run is prepared
  std::vector<std::string> env_file;  // absolute paths
  bool shell = false;
  Argv launch;                // local: put before the command
  std::string user = "host";  // host, image, or uid:gid
  std::vector<Volume> volumes;
  std::map<std::string, std::string> tmpfs;  // target -> options
  std::optional<std::int64_t> shm_size;
  std::vector<Ulimit> ulimits;
  std::optional<double> cpus;
  std::string cpuset_cpus;
  std::optional<std::int64_t> memory;
  std::optional<std::int64_t> pids_limit;
  std::string network;  // "" = the engine's default
  std::string ipc;
  bool init = true;
  std::vector<std::string> cap_add, cap_drop, security_opt;
  bool read_only = false;
  bool privileged = false;
  std::optional<int> processes;  // none = no process_<n>.json is required
  double timeout = 7200;
  std::optional<double> stall_timeout;
  std::optional<double> stop_grace_period;
  std::optional<double> estimate;
  std::optional<Window> window;
  bool env_compat_lem = false;
  std::vector<Strategy> strategy = {Strategy::ephemeral};  // both: an axis of the plan
  bool strategy_written = false;                           // else `container.strategy` holds
  Argv warmup_command;                                     // persistent: before measuring
  std::optional<Server> server;
  std::optional<GpuWish> gpus;   // none = not said
  bool timeout_written = false;  // a default timeout is no estimate of a duration
  bool persistent() const { return strategy.front() == Strategy::persistent; }
  bool operator==(const Runner&) const = default;
};

// What holds for all runners.
struct ContainerDefaults {
  std::vector<Strategy> strategy = {Strategy::ephemeral};
  std::string engine;  // "unix:///PATH", "tcp://HOST:PORT"; "" = the one that is found
  std::vector<std::string> compose_files;  // absolute paths, merged in their order
  std::string project_name;                // "" = made of the campaign's id and uid
  bool operator==(const ContainerDefaults&) const = default;
};

// Of persistent containers, between runs.
struct HealthCheck {
  bool enabled = true;
  int interval_experiments = 0;       // runs between two looks; 0 = after each cycle
  int gpu_memory_threshold_pct = 90;  // in use before a run: beyond it a container is made anew
  bool restart_on_failure = true;
  int max_restarts = 3;
  bool operator==(const HealthCheck&) const = default;
};

struct ColdStart {
  bool force_cold_start = false;   // no warmup, a fresh container and a fresh home for each run
  bool restart_container = false;  // a fresh container for each run, warmed up as always
  bool operator==(const ColdStart&) const = default;
};

struct Retries {
  std::map<std::string, int> by_class = {{"infra", 2}};  // class of failure -> retries
  double backoff_seconds = 30;
  double max_backoff_seconds = 300;
  bool operator==(const Retries&) const = default;
};

struct FailureThreshold {
  double rate = 0.5;
  int window = 10;
  std::vector<std::string> classes = {"infra"};
  bool operator==(const FailureThreshold&) const = default;
};

struct Execution {
  int cycles = 5;
  Structure structure = Structure::shuffled;
  std::optional<std::uint64_t> seed;  // none = from the name
  int warmup_prompts = 5;
  std::optional<double> warmup_timeout_seconds;
  double config_gap_seconds = 0;
  double cycle_gap_seconds = 0;
  bool cycle_gap_written = false;  // a barrier between cycles stands only where it is written
  Overlap overlap = Overlap::gap;
  bool pilot = false;
  int workers = 1;
  std::optional<GpuPlacement> placement;  // none = same with one worker, rotate with more
  Retries retries;
  int skip_after_failures = 2;
  std::optional<int> max_failures;
  std::optional<FailureThreshold> failure_threshold;
  bool operator==(const Execution&) const = default;
};

// What is sampled while runs are measured.
struct Telemetry {
  int interval_ms = 100;                        // between two samples; 0 = nothing is sampled
  std::vector<std::string> sources = {"auto"};  // payload, rapl, hwmon, nvml; auto = all there are
  bool save = true;                             // the samples; figures are kept anyway
  // What becomes of a run that was throttled, or whose GPUs others used: a note; it counts as
  // invalid; it is done again, at most so often.
  enum class Policy {
    keep,
    flag,
    rerun
  } on_throttle = Policy::flag,
    on_contamination = Policy::flag;
  int max_reruns = 2;
  bool reads(const std::string& source) const;
  bool on() const { return interval_ms > 0 && !sources.empty(); }
  bool operator==(const Telemetry&) const = default;
};

// The energy of runs, by counters of the machine.
struct Energy {
  enum class Enabled { automatic, yes, no } enabled = Enabled::automatic;
  struct Baseline {
    bool enabled = true;
    double duration_sec = 30;     // measured at rest for so long
    double cache_ttl_sec = 3600;  // and used again for so long
    bool operator==(const Baseline&) const = default;
  } baseline;
  std::vector<std::string> sources = {"nvml", "rapl"};
  bool allow_process_window = false;
  bool reads(const std::string& source) const;
  bool on() const { return enabled != Enabled::no && !sources.empty(); }
  bool operator==(const Energy&) const = default;
};

// For devices that others hold.
struct GpusWait {
  double seconds = 0;
  enum class Then { fail, pause } then = Then::fail;
  bool operator==(const GpusWait&) const = default;
};

struct Io {
  std::string results_dir;  // absolute
  std::string configs_dir;
  std::string state_dir;
  std::string manifest_filename = "campaign_manifest.json";
  std::int64_t min_free = std::int64_t{1} << 30;
  bool operator==(const Io&) const = default;
};

struct Hooks {
  Argv setup, prepare, conclude, cleanup;  // on the host; empty = none
  bool operator==(const Hooks&) const = default;
};

enum class Direction { unspecified, higher, lower };

struct MetricSpec {
  std::string name;
  enum class Source { json, regex, stage } source = Source::json;
  std::string where;  // "GLOB#/pointer", a regular expression with one group over stdout.log, or a
                      // stage's name
  std::string unit;
  Direction better = Direction::unspecified;
  bool primary = false;
  bool operator==(const MetricSpec&) const = default;
};

struct Collect {
  std::vector<std::string> required, optional;  // globs, relative to the results folder of a run
  std::int64_t max_bytes = std::int64_t{10} << 30;
  std::vector<MetricSpec> metrics;
  bool operator==(const Collect&) const = default;
};

// An experiment before expansion is described by the axes, config files and list of the file; see
// plan/expand.hpp.
struct ExperimentEntry {
  std::string name;     // "" = made from backend and axes
  std::string config;   // absolute path, "" = none
  std::string backend;  // "" = from the config
  Value set;            // map or null
  Origin origin;
  bool operator==(const ExperimentEntry& other) const {  // the origin apart
    return name == other.name && config == other.config && backend == other.backend &&
           set == other.set;
  }
};

struct PerBackend {
  Value axes;  // map key -> list
  Value set;   // map
  bool operator==(const PerBackend&) const = default;
};

struct Campaign {
  std::string name;
  std::string id;      // lower-cased name
  std::string file;    // absolute path of the campaign file
  std::string folder;  // its folder
  Value document;      // the file after interpolation, --set and path resolution: decode(document)
                       // gives this again
  Value axes;          // map dotted key -> list of values
  Value set;
  std::vector<std::vector<std::string>> zip;
  std::vector<Value> exclude;
  std::map<std::string, PerBackend> per_backend;
  std::string name_template;
  std::vector<std::string> configs;  // absolute paths, globs expanded, in order
  std::vector<ExperimentEntry> experiments;
  Value vars;
  std::optional<Runner> runner;           // `runner`
  std::map<std::string, Runner> runners;  // `runners`: backend -> runner
  ContainerDefaults container;
  GpuWish gpus;  // never a count
  GpusWait gpus_wait;
  HealthCheck health_check;
  ColdStart cold_start;
  Execution execution;
  Telemetry telemetry;
  Energy energy;
  Io io;
  Hooks hooks;
  Collect collect;
  std::vector<std::string> group_by;
  // Of the compose files, by name: what a service is and the names of those that it depends on, for
  // the identity of experiments. Filled by add_services, not by the loader.
  std::map<std::string, Value> services;
  std::vector<std::string> warnings;  // notices with their places, for stderr
  bool operator==(const Campaign&) const = default;
};

// The runner of a backend: runners[backend], else `runner`. nullptr when there is none.
const Runner* runner_for(const Campaign& campaign, const std::string& backend);

// What the compose files say, as a map by service: {"depends_on": [names], "service": {...}}. A
// service whose name is a backend without any runner becomes that backend's.
void add_services(Campaign& campaign, std::map<std::string, Value> services);

}  // namespace campaign
