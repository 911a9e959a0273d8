// The recorder with a kernel's folders of the test's own, whose counters the test moves.
#include "controller/telemetry/recorder.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <numbers>
#include <thread>

#include "campaign/metrics/verdicts.hpp"
#include "campaign/state/files.hpp"
#include "tests/support/container/loop.hpp"
#include "tests/support/controller/gpu_support.hpp"
#include "tests/support/controller/supervision.hpp"

namespace controller::telemetry {
namespace {

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
  void add_rapl(double watts) {
    const fs::path zone = folder_ / "sys/class/powercap/intel-rapl:0";
    fs::create_directories(zone);
    std::ofstream(zone / "name") << "package-0\n";
    std::ofstream(zone / "max_energy_range_uj") << "262143328850\n";
    std::ofstream(zone / "energy_uj") << "000000000001\n";
    counting_ = std::jthread([zone, watts](const std::stop_token& stop) {
      const int fd = ::open((zone / "energy_uj").c_str(), O_WRONLY);
      const double begin = campaign::system_clock().boottime();
      while (!stop.stop_requested()) {
        char text[16];
        const double joules = (campaign::system_clock().boottime() - begin) * watts;
        std::snprintf(text, sizeof text, "%012.0f", joules * 1e6);
        EXPECT_EQ(::pwrite(fd, text, 12, 0), 12);
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
      ::close(fd);
    });
  }
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
                        .nvml_patience = patience_});
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
    rows(1);
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

TEST_F(RecorderTest, ProcessIsRecordedFromBeforeItsStartToAfterItsEnd) {
  const campaign::TelemetryReading reading = recorded();
  EXPECT_EQ(reading.record.status, "complete") << reading.record.reason;
  EXPECT_GE(reading.record.samples, 5u);
  EXPECT_EQ(reading.record.sources.front().kind, "/proc sums");
  EXPECT_THAT(reading.record.sources.back().unavailable, HasSubstr("no processor's sensor"));
  EXPECT_FALSE(telemetry_metrics(reading).empty());
  struct stat status{};
  ASSERT_EQ(::stat((folder_ / "results/telemetry/a.c01.a1.jsonl").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
}

TEST_F(RecorderTest, WithoutSaveTheFileGoes) {
  settings_.save = false;
  EXPECT_EQ(recorded().record.status, "complete");
  EXPECT_TRUE(fs::is_empty(folder_ / "results/telemetry"));
}

TEST_F(RecorderTest, PilotIsNotSampled) {
  Attempt pilot = attempt();
  pilot.pilot = true;
  loop_.run(recorder().begin(pilot));
  EXPECT_FALSE(loop_.run(recorder().collect(pilot, {})));
  EXPECT_TRUE(supervision_.host().supervisors().empty()) << "no thread";
}

TEST_F(RecorderTest, AttemptThatRanBeforeGoesOnInItsFileAndIsPartial) {
  fs::create_directories(folder_ / "results/telemetry");
  std::ofstream(folder_ / "results/telemetry/a.c01.a1.jsonl") << "{\"telemetry\":1}\n[17,nul";
  Attempt taken_up = attempt();
  taken_up.started = true;
  loop_.run(recorder().begin(taken_up));
  loop_.run(recorder().started(taken_up));
  const auto reading = loop_.run(recorder().collect(taken_up, {}));
  EXPECT_EQ(reading->record.status, "partial");
  std::ifstream file(folder_ / "results/telemetry/a.c01.a1.jsonl");
  std::string line;
  std::getline(file, line);
  std::getline(file, line);
  EXPECT_EQ(line, "[17,nul");
  std::getline(file, line);
  EXPECT_THAT(line, HasSubstr("\"run\":\"a.c01.a1\"")) << "the torn line is ended";
}

TEST_F(RecorderTest, AttemptThatWasSampledToItsEndIsReadAgainAsItIs) {
  add_rapl(50);
  measure_rest();
  start();
  const std::int64_t begin = campaign::system_clock().monotonic_ns();
  rows(5);
  const std::int64_t end = campaign::system_clock().monotonic_ns();
  const campaign::TelemetryReading first = finish();
  fs::create_directories(folder_ / "results/ctl/a.c01.a1");
  std::ofstream(folder_ / "results/ctl/a.c01.a1/outcome.json") << R"({"v":1})";
  const auto size = fs::file_size(folder_ / "results/telemetry/a.c01.a1.jsonl");
  renew();
  Attempt taken_up = attempt();
  taken_up.started = true;
  loop_.run(recorder().begin(taken_up));
  loop_.run(recorder().started(taken_up));
  recorder().ended(taken_up);
  const auto reading = loop_.run(
      recorder().collect(taken_up, {.window = {.begin_ns = begin, .end_ns = end}, .process = {}}));
  ASSERT_TRUE(reading);
  EXPECT_EQ(reading->record.status, "complete") << reading->record.reason;
  EXPECT_GE(reading->record.samples, first.record.samples);
  EXPECT_EQ(energy_of(*reading)->baseline_method, "cached");
  EXPECT_EQ(fs::file_size(folder_ / "results/telemetry/a.c01.a1.jsonl"), size);
}

TEST_F(RecorderTest, FolderThatCannotBeWrittenFailsNothing) {
  fs::create_directories(folder_ / "results");
  std::ofstream(folder_ / "results/telemetry") << "a file";
  const campaign::TelemetryReading reading = recorded();
  EXPECT_EQ(reading.record.status, "unavailable");
  EXPECT_THAT(reading.record.reason, HasSubstr("telemetry"));
}

TEST_F(RecorderTest, EnergyIsTheGrowthOfTheCountersLessThePowerAtRest) {
  add_rapl(50);
  ASSERT_DOUBLE_EQ(recorder().seconds_of_rest(devices_), 0.3);
  measure_rest();
  EXPECT_EQ(recorder().seconds_of_rest(devices_), 0) << "it is known now";
  const campaign::TelemetryReading reading = recorded(15);
  const double seconds = lasted_ / 2;  // so that some is left of it
  const auto energy = recorder().energy(attempt(), reading, {.seconds = seconds});
  ASSERT_TRUE(energy && energy->raw_j) << energy->reason;
  EXPECT_NEAR(*energy->raw_j, 50 * lasted_, 10 * lasted_);
  EXPECT_NEAR(*energy->baseline_power_w, 50, 5);
  EXPECT_EQ(energy->baseline_method, "fresh");
  EXPECT_NEAR(*energy->adjusted_j, *energy->raw_j - *energy->baseline_power_w * seconds, 1e-9);
  EXPECT_EQ(energy_of(recorded())->baseline_method, "cached");
  EXPECT_TRUE(fs::exists(folder_ / "baseline.json"));
}

TEST_F(RecorderTest, NextControllerUsesThePowerAtRestAgain) {
  add_rapl(50);
  measure_rest();
  renew();
  EXPECT_EQ(recorder().seconds_of_rest(devices_), 0);
  EXPECT_EQ(energy_of(recorded())->baseline_method, "cached");
}

TEST_F(RecorderTest, PowerAtRestThatIsTooOldOnlyWhenTheRunEndsServesIt) {
  add_rapl(50);
  measure_rest();
  const campaign::TelemetryReading reading = recorded();
  energy_.baseline.cache_ttl_sec = 0;
  const auto energy = energy_of(reading);
  EXPECT_EQ(energy->baseline_method, "fresh");
  EXPECT_TRUE(energy->adjusted_j) << energy->reason;
}

TEST_F(RecorderTest, PowerAtRestOfAnotherHostOrTooOldIsMeasuredAnew) {
  add_rapl(50);
  measure_rest();
  energy_.baseline.cache_ttl_sec = 0;
  renew();
  EXPECT_GT(recorder().seconds_of_rest(devices_), 0);
  EXPECT_EQ(energy_of(recorded())->baseline_method, "unavailable");
  energy_.baseline.cache_ttl_sec = 3600;
  renew();
  std::ofstream(folder_ / "baseline.json")
      << R"({"v":1,"host":"other","boot":")" << campaign::system_clock().boot_id()
      << R"(","watts":50.0,"utc":)" << std::fixed << campaign::system_clock().utc() << "}";
  EXPECT_GT(recorder().seconds_of_rest(devices_), 0);
}

TEST_F(RecorderTest, PowerAtRestIsNotMeasuredWithoutNeed) {
  EXPECT_EQ(recorder().seconds_of_rest(devices_), 0) << "no counters";
  renew();
  add_rapl(50);
  energy_.allow_process_window = false;
  EXPECT_EQ(recorder().seconds_of_rest(devices_), 0) << "no run is likely to have energy";
  energy_.enabled = campaign::Energy::Enabled::yes;
  EXPECT_GT(recorder().seconds_of_rest(devices_), 0);
  loop_.run(recorder().begin(attempt()));
  EXPECT_EQ(recorder().seconds_of_rest(devices_), 0) << "a run is under way";
  EXPECT_TRUE(loop_.run(recorder().collect(attempt(), {})));
  energy_.baseline.enabled = false;
  EXPECT_EQ(recorder().seconds_of_rest(devices_), 0);
}

TEST_F(RecorderTest, RunThatBeginsMeanwhileSpoilsTheMeasurement) {
  add_rapl(50);
  bool begun = false;
  loop_.run(recorder().measure_rest(devices_, [&] {
    if (!std::exchange(begun, true))
      boost::asio::co_spawn(loop_.io(), recorder().begin(attempt()), [](const auto&) {});
    return false;
  }));
  EXPECT_FALSE(fs::exists(folder_ / "baseline.json"));
  EXPECT_EQ(recorder().seconds_of_rest(devices_), 0) << "it is under way";
  EXPECT_TRUE(loop_.run(recorder().collect(attempt(), {})));
  EXPECT_GT(recorder().seconds_of_rest(devices_), 0) << "the next pause is tried";
}

TEST_F(RecorderTest, RunThatIsMadeReadySpoilsTheMeasurementAndEndsItAtOnce) {
  add_rapl(50);
  energy_.baseline.duration_sec = 3600;
  std::shared_ptr<void> busy;
  loop_.run(recorder().measure_rest(devices_, [&] {
    if (!busy) busy = recorder().busy();
    return false;
  }));
  EXPECT_FALSE(fs::exists(folder_ / "baseline.json"));
  EXPECT_EQ(recorder().seconds_of_rest(devices_), 0) << "it is not ready yet";
  busy.reset();
  EXPECT_GT(recorder().seconds_of_rest(devices_), 0);
}

// A GPU by the stand-in library, whose power goes up and down from now on.
class GpuRecorder : public RecorderTest {
 protected:
  GpuRecorder() {
    devices_ = testing::made_devices({"GPU-a"});
    settings_.sources = {"nvml"};
  }
  static std::string gpu(int index, const std::string& uuid, const std::string& keys) {
    return "gpu " + std::to_string(index) + " uuid=" + uuid + " " + keys + "\n";
  }
  static std::string origin(std::int64_t mono_ns) {
    return "origin " + std::to_string(mono_ns) + "\n";
  }
  std::string header() const {
    std::ifstream file(folder_ / "results/telemetry/a.c01.a1.jsonl");
    std::string line;
    std::getline(file, line);
    return line;
  }

  testing::NvmlScript script_{""};
};

TEST_F(GpuRecorder, HeaderNamesTheDeviceAndItsFiguresAreMetrics) {
  script_.becomes(gpu(0, "GPU-a", "power=70500 temperature=41 utilisation=20"));
  const campaign::TelemetryReading reading = recorded();
  EXPECT_EQ(reading.record.status, "complete") << reading.record.reason;
  EXPECT_THAT(header(), HasSubstr(R"("name":"gpu0","kind":"NVML","device":"GPU-a")"));
  EXPECT_THAT(header(), HasSubstr(R"("name":"gpu0.power_w","unit":"W","kind":"level"})"));
  EXPECT_THAT(header(), HasSubstr("nvmlDeviceGetTotalEnergyConsumption: Not Supported"));
  const auto metrics = telemetry_metrics(reading);
  ASSERT_EQ(metrics.size(), 3u);
  EXPECT_EQ(metrics[0].name, "gpu_power_mean_w");
  EXPECT_NEAR(metrics[0].value, 70.5, 1e-6);
}

TEST_F(GpuRecorder, WithoutDevicesTheLibraryIsNotOpened) {
  script_.becomes("hang nvmlInit_v2\n");
  devices_.clear();
  settings_.sources = {"auto"};
  for (const auto& source : recorded().record.sources) EXPECT_EQ(source.device, "");
}

// A machine under load may be late at an edge of the window, once.
TEST_F(GpuRecorder, EnergyOfAScriptedPowerCurveIsItsIntegral) {
  constexpr double mean = 300, swing = 200, period = 0.3, allowed = 0.005;
  const auto joules = [&](double t) {
    const double turn = 2 * std::numbers::pi / period;
    return mean * t + swing * (1 - std::cos(turn * t)) / turn;
  };
  settings_.interval_ms = 5;
  double error = 1;
  for (int round = 0; round < 4 && error > allowed; ++round) {
    const std::int64_t begin = campaign::system_clock().monotonic_ns();
    script_.becomes(origin(begin) + gpu(0, "GPU-a", "power=sine:300000:200000:0.3 energy_step=1"));
    const Attempt one = attempt();
    start();
    const auto from = campaign::system_clock().monotonic_ns() + 30'000'000;
    rows(100);
    const auto until = campaign::system_clock().monotonic_ns() - 30'000'000;
    recorder().ended(one);
    const double seconds = static_cast<double>(until - from) * 1e-9;
    const campaign::MeasureWindow window{.source = campaign::MeasureWindow::Source::phase,
                                         .seconds = seconds,
                                         .begin_ns = from,
                                         .end_ns = until};
    const auto reading = loop_.run(recorder().collect(one, {.window = window, .process = {}}));
    const auto energy = recorder().energy(one, *reading, window);
    ASSERT_TRUE(energy && energy->raw_j) << energy->reason;
    EXPECT_EQ(energy->gpus.at(0).method, "counter");
    const double expected = joules(static_cast<double>(until - begin) * 1e-9) -
                            joules(static_cast<double>(from - begin) * 1e-9);
    error = std::abs(*energy->raw_j / expected - 1);
    error = std::max(error, std::abs(*energy->gpus.at(0).power_j / expected - 1));
  }
  EXPECT_LE(error, allowed);
}

TEST_F(GpuRecorder, CounterThatWrapsIsFollowedAndOneThatBeginsAnewGivesWayToThePower) {
  // 2^32 millijoules, met after 100 W for 0.01 s.
  script_.becomes(origin(campaign::system_clock().monotonic_ns()) +
                  gpu(0, "GPU-a",
                      "power=100000 energy_step=1 energy_start=4294966296 "
                      "energy_wraps=4294967296"));
  settings_.sources = {"nvml"};
  auto energy = energy_of(recorded());
  ASSERT_TRUE(energy->raw_j) << energy->reason;
  EXPECT_EQ(energy->gpus.at(0).method, "counter");
  EXPECT_NEAR(*energy->raw_j, 100 * lasted_, 20 * lasted_);
  const auto from = [&](const std::string& start) {
    script_.becomes(origin(campaign::system_clock().monotonic_ns()) +
                    gpu(0, "GPU-a", "power=100000 energy_step=1 energy_start=" + start));
  };
  from("50000000");
  start();
  rows(5);
  from("0");
  rows(5);
  energy = energy_of(finish());
  ASSERT_TRUE(energy->raw_j) << energy->reason;
  EXPECT_EQ(energy->gpus.at(0).method, "power");
  EXPECT_NEAR(*energy->raw_j, 100 * lasted_, 1e-6);
  EXPECT_THAT(energy->notes.at(0), HasSubstr("began anew"));
}

TEST_F(GpuRecorder, ReadingThatHangsStallsNoRun) {
  settings_.sources = {"auto"};
  script_.becomes(gpu(0, "GPU-a", "power=70500"));
  start();
  rows(5);
  script_.becomes(gpu(0, "GPU-a", "power=70500") + "hang nvmlDeviceGetPowerUsage\n");
  while (!supervision_.host().find("telemetry 2")) {
    loop_.run(container::sleep_for(0.1));
    recorder().look();
  }
  rows(5);
  const double begin = campaign::system_clock().boottime();
  const campaign::TelemetryReading reading = finish();
  EXPECT_LT(campaign::system_clock().boottime() - begin, 5);
  for (const auto& source : reading.record.sources) {
    if (source.name == "gpu0") EXPECT_EQ(source.unavailable, "a reading did not come back");
    if (source.name == "payload") EXPECT_EQ(source.unavailable, "");
  }
  EXPECT_GE(reading.record.samples, 10u) << "the others go on";
}

TEST_F(GpuRecorder, LibraryThatDoesNotAnswerIsWaitedForOnceAndNotLong) {
  settings_.sources = {"auto"};
  patience_ = 1;
  script_.becomes("hang nvmlInit_v2\n");
  const campaign::TelemetryReading reading = recorded();
  EXPECT_EQ(reading.record.status, "complete") << reading.record.reason;
  const double begin = campaign::system_clock().boottime();
  const Attempt next = attempt();
  loop_.run(recorder().begin(next));
  EXPECT_LT(campaign::system_clock().boottime() - begin, 0.9);
  loop_.run(recorder().started(next));
  EXPECT_THAT(loop_.run(recorder().collect(next, {}))->record.sources.at(1).unavailable,
              HasSubstr("NVML did not answer"));
}

TEST_F(GpuRecorder, PowerAtRestIsThatOfTheRunsDevicesAndKeptByDevice) {
  script_.becomes(gpu(0, "GPU-a", "power=60000") + gpu(1, "GPU-b", "power=80000"));
  ASSERT_DOUBLE_EQ(recorder().seconds_of_rest(devices_), 0.3);
  measure_rest();
  EXPECT_EQ(recorder().seconds_of_rest(devices_), 0) << "it is known now";
  const auto energy = energy_of(recorded());
  EXPECT_EQ(energy->baseline_method, "fresh");
  EXPECT_NEAR(*energy->baseline_power_w, 60, 1e-6);
  EXPECT_NEAR(*energy->adjusted_j, 0, 0.1);
  devices_ = testing::made_devices({"GPU-b"});
  EXPECT_GT(recorder().seconds_of_rest(devices_), 0) << "another device";
  measure_rest();
  devices_ = testing::made_devices({"GPU-a", "GPU-b"});
  renew();
  EXPECT_EQ(recorder().seconds_of_rest(devices_), 0) << "both are known, to the next one too";
  EXPECT_NEAR(*energy_of(recorded())->baseline_power_w, 140, 1e-6);
}

TEST_F(GpuRecorder, DeviceThatCannotBeReadCostsNoMeasurement) {
  settings_.sources = {"nvml", "rapl"};
  energy_.baseline.duration_sec = 3600;
  script_.becomes(gpu(0, "GPU-b", "power=80000"));
  measure_rest();
  EXPECT_FALSE(fs::exists(folder_ / "baseline.json")) << "nothing was measured";
  renew();
  add_rapl(50);
  energy_.baseline.duration_sec = 0.3;
  measure_rest();
  EXPECT_THAT(campaign::read_file(folder_ / "baseline.json"), HasSubstr("package-0"));
}

TEST_F(GpuRecorder, OurOwnProcessOnTheDeviceIsNotForeign) {
  settings_.sources = {"payload", "nvml"};
  script_.becomes(gpu(0, "GPU-a", "power=1") + "process 0 pid=" + std::to_string(::getpid()) +
                  "\nprocess 0 pid=1\n");
  const auto verdicts = campaign::judge_gpus(recorded(), lasted_);
  EXPECT_EQ(verdicts->foreign.at("GPU-a"), 1) << "init is somebody else's";
  EXPECT_TRUE(verdicts->unused.empty());
}

TEST_F(GpuRecorder, ProcessesThatALaunchedRunLeftToADaemonAreNotForeign) {
  settings_.sources = {"payload", "nvml"};
  script_.becomes(gpu(0, "GPU-a", "power=1") + "process 0 pid=1\n");
  runner_.launch = {"docker", "run"};
  const auto verdicts = campaign::judge_gpus(recorded(), lasted_);
  EXPECT_TRUE(verdicts->foreign.empty());
  EXPECT_TRUE(verdicts->unused.empty());
  EXPECT_THAT(verdicts->unavailable, Contains(HasSubstr("processes_foreign")));
}

}  // namespace
}  // namespace controller::telemetry
