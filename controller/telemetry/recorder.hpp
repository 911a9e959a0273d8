// The session's telemetry: which sensors belong to an attempt, their readings on disk
// (telemetry.jsonl), and what they come to. Never makes a run fail: what cannot be read is
// unavailable, with its reason.
#pragma once

#include "controller/attempt.hpp"
#include "controller/supervise/host.hpp"
#include "controller/telemetry/baseline.hpp"
#include "controller/telemetry/cgroup.hpp"
#include "controller/telemetry/sampler.hpp"
#include "controller/telemetry/telemetry_file.hpp"

namespace controller::telemetry {

class GpuLibrary;

struct RecorderParts {
  const campaign::Telemetry* settings = nullptr;  // on()
  const campaign::Energy* energy = nullptr;
  std::filesystem::path baseline_file;
  std::string host_name;
  bool windows_declared = false;  // a runner says where its window begins
  const campaign::Clock* clock = nullptr;
  campaign::ResultsFolder results;
  container::Engine* engine = nullptr;  // null when nothing runs in containers
  supervise::Host* host = nullptr;      // the sampler's thread becomes a service of it
  Wake* wake = nullptr;
  Roots roots;
  std::string nvml;  // library, opened when the first attempt with devices comes; then those that
  double nvml_patience = 10;        // come wait for it until so many seconds are over
  double first_row_patience = 0.1;  // seconds; a sensor may hold it up
};

class Recorder {
 public:
  explicit Recorder(RecorderParts parts);
  ~Recorder();
  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;

  using Devices = std::vector<gpu::Device>;
  // Just before an attempt is started, or taken up: it is `started` already then. Pilots are not
  // sampled, nor is one whose result was decided before. The first one starts the thread. Returns
  // once a first row was read, or its patience is over.
  Task<> begin(const Attempt& attempt);
  // It is not to be started after all.
  void drop(const Attempt& attempt);
  // It runs now: its container is there.
  Task<> started(const Attempt& attempt);
  // It has ended: a last row is read.
  void ended(const Attempt& attempt);
  // Everything of it is in its file, and what it comes to over the window. A window without times
  // is the one between started() and ended(). nullopt: it was not sampled.
  struct What {
    campaign::MeasureWindow window;
    std::optional<campaign::TelemetryRequest::Process> process;
  };
  Task<std::optional<campaign::TelemetryReading>> collect(const Attempt& attempt, What what);
  // What its reading comes to in energy, once, by the power at rest that was known when it began;
  // nullopt where energy is off.
  std::optional<campaign::EnergyRecord> energy(const Attempt& attempt,
                                               const campaign::TelemetryReading& reading,
                                               const campaign::MeasureWindow& window);
  // Before a run: how long the machine and the GPUs of the run are to be measured at rest, 0 = not
  // now (what is known is good enough, it has no counters, a run is under way, or no run is likely
  // to have energy); and that measurement, until `stop` says so at a wake.
  double seconds_of_rest(const Devices& devices) const;
  Task<> measure_rest(Devices devices, std::function<bool()> stop);
  // While it lives the machine is not at rest, though no run has begun: one is made ready.
  std::shared_ptr<void> busy();
  // Once a second: rows go to disk now and then, and a sensor that hangs is given up.
  void look();

 private:
  struct Recording;
  struct ContainerSource {
    std::string id, attempt, source;
    Counts counts;
  };
  Task<Found> container_source(ContainerSource from);
  Task<Found> ask_engine(ContainerSource from);
  Task<Found> source_of_payload(const Attempt& attempt);
  Task<> add_gpus(Recording& recording, Devices devices);
  static void tell_processes(Recording& recording, const Attempt& attempt);
  // What a run with these devices has energy of.
  std::vector<std::string> domains_of(const Devices& devices) const;
  Recording* find(const Attempt& attempt);
  bool is_decided(const Attempt& attempt) const;
  void add_host_sources(Recording& recording);
  void take_baseline(const Attempt& attempt);
  void disturb_rest();
  bool learns_from(const Recording& recording, std::vector<std::string> domains) const;
  void begin_thread();
  std::unique_ptr<Recording> open(const std::string& name, TelemetryFile::How how);
  TrackPtr track(const std::string& name, std::unique_ptr<Recording> recording);
  void write_header(Recording& recording);
  Task<> within(double seconds, std::function<bool()> done);
  void end(Recording& recording);
  Task<campaign::TelemetryReading> finish(std::string name, What what);
  void write_end(Recording& recording);
  void remove_file(const std::string& name) const;

  const RecorderParts parts_;
  const std::shared_ptr<Sampler> sampler_;  // also of its thread, which may outlive us
  CgroupFinder finder_;
  BaselineCache baseline_;
  std::vector<Found> host_found_;        // rapl, hwmon: opened once, their sensors moved to
  std::vector<SensorPtr> host_sensors_;  // these
  std::map<std::string, std::unique_ptr<Recording>> recordings_;  // by attempt
  std::map<std::string, campaign::EnergyBaseline> at_begin_;      // of each until its energy()
  bool energy_seen_ = false;                                      // a run of ours had it
  bool rest_disturbed_ = false;  // something began while the machine was so measured
  const std::shared_ptr<void> busy_ = std::make_shared<int>();  // of each busy()
  std::map<std::string, double> rest_tried_;  // domain -> boottime of the last try
  bool resting_ = false;                      // that is being measured
  std::unique_ptr<GpuLibrary> gpus_;          // once an attempt has had devices
  double gpus_until_ = 0;                     // boottime until which it is waited for
  int threads_ = 0;                           // begun so far
};

}  // namespace controller::telemetry
