// The recorder with a kernel's folders of the test's own, whose counters the test moves.
#pragma once

#include <gmock/gmock.h>
#include <unistd.h>

#include <thread>

#include "controller/telemetry/recorder.hpp"
#include "tests/support/controller/gpu_support.hpp"
#include "tests/support/controller/supervision.hpp"

namespace controller::telemetry {

namespace fs = std::filesystem;
using ::testing::Contains;
using ::testing::HasSubstr;

// Counts how often other threads look at it: the sampler does once or twice for a row, and once
// more where it looks at the processes of a GPU.
class SeenClock : public campaign::Clock {
 public:
  double utc() const override { return campaign::system_clock().utc(); }
  double boottime() const override { return campaign::system_clock().boottime(); }
  std::int64_t monotonic_ns() const override {
    looks_ += std::this_thread::get_id() != test_;
    return campaign::system_clock().monotonic_ns();
  }
  std::string boot_id() const override { return campaign::system_clock().boot_id(); }
  int rows() const { return looks_ / 3; }  // at least

 private:
  const std::thread::id test_ = std::this_thread::get_id();
  mutable std::atomic<int> looks_ = 0;
};

class RecorderTest : public ::testing::Test {
 protected:
  RecorderTest() : supervision_(loop_) {
    std::string path = ::testing::TempDir() + "recorder-XXXXXX";
    folder_ = mkdtemp(path.data());
    settings_.interval_ms = 20;
    energy_.allow_process_window = true;
    energy_.baseline.duration_sec = 0.3;
  }
  ~RecorderTest() override {
    recorder_.reset();
    supervision_.end();
    fs::remove_all(folder_);
  }

  // A package whose counter grows by so many watts, as long as the test runs.
  void add_rapl(double watts);
  Recorder& recorder() {
    if (!recorder_)
      recorder_ = std::make_unique<Recorder>(
          RecorderParts{.settings = &settings_,
                        .energy = &energy_,
                        .baseline_file = folder_ / "baseline.json",
                        .host_name = "h",
                        .clock = &clock_,
                        .results = {folder_ / "results"},
                        .host = &supervision_.host(),
                        .wake = &wake_,
                        .roots = {.proc = "/proc", .sys = folder_ / "sys"},
                        .nvml = testing::stub_library,
                        .nvml_patience = patience_,
                        .first_row_patience = 20});
    return *recorder_;
  }
  // The next controller's.
  void renew() {
    recorder_.reset();
    loop_.run(supervision_.host().remove("telemetry"));
  }
  // Our own process is the payload.
  Attempt attempt() const {
    Attempt attempt;
    attempt.run = "a.c01";
    attempt.pid = ::getpid();
    attempt.devices = devices_;
    attempt.runner = &runner_;
    return attempt;
  }
  // Until so many more rows were read, or more.
  void rows(int more) {
    for (const int until = clock_.rows() + more; clock_.rows() < until;)
      loop_.run(container::sleep_for(0.001));
  }
  void start() {
    loop_.run(recorder().begin(attempt()));
    loop_.run(recorder().started(attempt()));
    started_ = campaign::system_clock().boottime();
  }
  campaign::TelemetryReading finish() {
    lasted_ = campaign::system_clock().boottime() - started_;
    recorder().ended(attempt());
    return *loop_.run(recorder().collect(attempt(), {}));
  }
  campaign::TelemetryReading recorded(int count = 5) {
    start();
    rows(count);
    return finish();
  }
  // Of the attempt that was recorded last.
  auto energy_of(const campaign::TelemetryReading& reading) {
    return recorder().energy(attempt(), reading, {.seconds = lasted_});
  }
  static bool stop_never() { return false; }
  void measure_rest() { loop_.run(recorder().measure_rest(devices_, stop_never)); }

  container::test::Loop loop_;
  supervise::test::Supervision supervision_;
  Wake wake_;
  fs::path folder_;
  campaign::Telemetry settings_;
  campaign::Energy energy_;
  Recorder::Devices devices_;
  campaign::Runner runner_;
  double patience_ = 20;
  double started_ = 0, lasted_ = 0;  // the last one that was recorded
  SeenClock clock_;
  std::jthread counting_;
  std::unique_ptr<Recorder> recorder_;
};

}  // namespace controller::telemetry
