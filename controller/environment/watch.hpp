// The circumstances of each run, taken just before it starts: what stays is read once, what an
// administrator may change between runs (governor, frequency limits, a GPU's settings) each time.
// What has changed since the run before is said, also where another controller saw that one: the
// last that was seen lies in a file beside the results. Never inside a run's own measure window,
// and never makes a run fail. One thread, but for a question to a GPU's driver, which may hang: it
// has a thread of its own, and a driver that does not answer in time is not asked again.
#pragma once

#include <filesystem>

#include "campaign/state/journal.hpp"
#include "controller/environment/gpus.hpp"
#include "controller/environment/host.hpp"
#include "controller/wake.hpp"

namespace controller {

struct EnvironmentParts {
  EnvironmentPlaces places;
  std::string nvml = gpu::nvml_library;
  double patience = 5;                            // seconds for a driver, which may have to wake up
  const container::EngineInfo* engine = nullptr;  // null when nothing runs in containers
  campaign::Environment variables;
  std::string version;         // of this program
  std::filesystem::path file;  // of what was seen last
  const campaign::Clock* clock = nullptr;
  Wake* wake = nullptr;
};

class EnvironmentWatch {
 public:
  explicit EnvironmentWatch(EnvironmentParts parts);

  Task<campaign::EnvironmentRecord> look(std::vector<gpu::Device> devices);
  // What has changed and stands in no result yet, for those who read one: kept over a kill until a
  // record with these notes was accepted.
  const std::vector<std::string>& notes() const { return untold_; }
  void told(const std::vector<std::string>& notes);
  // What was seen last, nothing asked: for a run that is under way already, or has ended.
  campaign::EnvironmentRecord last(const std::vector<gpu::Device>& devices) const;

 private:
  Task<std::vector<campaign::FactGroup>> settings_of(std::vector<gpu::Device> devices);
  void take_in(const campaign::EnvironmentRecord& now);
  void keep();

  const EnvironmentParts parts_;
  std::vector<campaign::FactGroup> lasting_;  // host, engine, job, controller
  campaign::Fact cpu_model_;
  std::shared_ptr<GpuSettings> gpus_;  // also of a thread that hangs
  bool hangs_ = false;
  std::vector<std::string> untold_;
  campaign::EnvironmentRecord last_;  // with every GPU that a run of this session has had
};

}  // namespace controller
