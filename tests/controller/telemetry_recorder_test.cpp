// The recorder with a kernel's folders of the test's own, whose counters the test moves.
#include "controller/telemetry/recorder.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "tests/support/container/loop.hpp"
#include "tests/support/controller/supervision.hpp"

namespace controller::telemetry {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::Ge;
using ::testing::HasSubstr;
using ::testing::Le;

class RecorderTest : public ::testing::Test {
 protected:
  RecorderTest() : supervision_(loop_) {
    std::string path = testing::TempDir() + "recorder-XXXXXX";
    folder_ = mkdtemp(path.data());
    settings_.interval_ms = 20;
    energy_.allow_process_window = true;
    energy_.baseline.duration_sec = 0.4;
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
                        .clock = &campaign::system_clock(),
                        .results = {folder_ / "results"},
                        .host = &supervision_.host(),
                        .wake = &wake_,
                        .roots = {.proc = "/proc", .sys = folder_ / "sys"}});
    return *recorder_;
  }
  // The next controller's.
  void renew() {
    recorder_.reset();
    loop_.run(supervision_.host().remove("telemetry"));
  }
  // Our own process is the payload.
  static Attempt attempt() {
    Attempt attempt;
    attempt.run = "a.c01";
    attempt.pid = ::getpid();
    return attempt;
  }
  campaign::TelemetryReading recorded(double seconds) {
    const Attempt one = attempt();
    loop_.run(recorder().begin(one));
    loop_.run(recorder().started(one));
    loop_.run(container::sleep_for(seconds));
    recorder().ended(one);
    return *loop_.run(recorder().collect(one, {}));
  }
  static bool stop_never() { return false; }
  void measure_rest() { loop_.run(recorder().measure_rest(stop_never)); }

  container::test::Loop loop_;
  supervise::test::Supervision supervision_;
  Wake wake_;
  fs::path folder_;
  campaign::Telemetry settings_;
  campaign::Energy energy_;
  std::jthread counting_;
  std::unique_ptr<Recorder> recorder_;
};

TEST_F(RecorderTest, ProcessIsRecordedFromBeforeItsStartToAfterItsEnd) {
  const campaign::TelemetryReading reading = recorded(0.3);
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
  EXPECT_EQ(recorded(0.1).record.status, "complete");
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

TEST_F(RecorderTest, FolderThatCannotBeWrittenFailsNothing) {
  fs::create_directories(folder_ / "results");
  std::ofstream(folder_ / "results/telemetry") << "a file";
  const campaign::TelemetryReading reading = recorded(0.1);
  EXPECT_EQ(reading.record.status, "unavailable");
  EXPECT_THAT(reading.record.reason, HasSubstr("telemetry"));
}

TEST_F(RecorderTest, EnergyIsTheGrowthOfTheCountersLessThePowerAtRest) {
  add_rapl(50);
  ASSERT_DOUBLE_EQ(recorder().seconds_of_rest(), 0.4);
  measure_rest();
  EXPECT_EQ(recorder().seconds_of_rest(), 0) << "it is known now";
  const campaign::TelemetryReading reading = recorded(0.5);
  const campaign::MeasureWindow window{.seconds = 0.25};
  const auto energy = recorder().energy(reading, window);
  ASSERT_TRUE(energy && energy->raw_j) << energy->reason;
  EXPECT_THAT(*energy->raw_j, AllOf(Ge(20), Le(40)));
  EXPECT_NEAR(*energy->baseline_power_w, 50, 2.5);
  EXPECT_EQ(energy->baseline_method, "fresh");
  EXPECT_NEAR(*energy->adjusted_j, *energy->raw_j - *energy->baseline_power_w * 0.25, 1e-9);
  EXPECT_EQ(recorder().energy(reading, window)->baseline_method, "cached");
  EXPECT_TRUE(fs::exists(folder_ / "baseline.json"));
}

TEST_F(RecorderTest, NextControllerUsesThePowerAtRestAgain) {
  add_rapl(50);
  measure_rest();
  renew();
  EXPECT_EQ(recorder().seconds_of_rest(), 0);
  EXPECT_EQ(recorder().energy(recorded(0.2), {.seconds = 0.2})->baseline_method, "cached");
}

TEST_F(RecorderTest, PowerAtRestOfAnotherHostOrTooOldIsMeasuredAnew) {
  add_rapl(50);
  measure_rest();
  energy_.baseline.cache_ttl_sec = 0;
  renew();
  EXPECT_GT(recorder().seconds_of_rest(), 0);
  EXPECT_EQ(recorder().energy(recorded(0.1), {.seconds = 0.1})->baseline_method, "unavailable");
  energy_.baseline.cache_ttl_sec = 3600;
  renew();
  std::ofstream(folder_ / "baseline.json")
      << R"({"v":1,"host":"other","boot":")" << campaign::system_clock().boot_id()
      << R"(","watts":50.0,"utc":)" << std::fixed << campaign::system_clock().utc() << "}";
  EXPECT_GT(recorder().seconds_of_rest(), 0);
}

TEST_F(RecorderTest, PowerAtRestIsNotMeasuredWithoutNeed) {
  EXPECT_EQ(recorder().seconds_of_rest(), 0) << "no counters";
  renew();
  add_rapl(50);
  energy_.allow_process_window = false;
  EXPECT_EQ(recorder().seconds_of_rest(), 0) << "no run is likely to have energy";
  energy_.enabled = campaign::Energy::Enabled::yes;
  EXPECT_GT(recorder().seconds_of_rest(), 0);
  loop_.run(recorder().begin(attempt()));
  EXPECT_EQ(recorder().seconds_of_rest(), 0) << "a run is under way";
  EXPECT_TRUE(loop_.run(recorder().collect(attempt(), {})));
  energy_.baseline.enabled = false;
  EXPECT_EQ(recorder().seconds_of_rest(), 0);
}

TEST_F(RecorderTest, RunThatBeginsMeanwhileSpoilsTheMeasurement) {
  add_rapl(50);
  bool begun = false;
  loop_.run(recorder().measure_rest([&] {
    if (!std::exchange(begun, true))
      boost::asio::co_spawn(loop_.io(), recorder().begin(attempt()), [](const auto&) {});
    return false;
  }));
  EXPECT_FALSE(fs::exists(folder_ / "baseline.json"));
  EXPECT_TRUE(loop_.run(recorder().collect(attempt(), {})));
}

}  // namespace
}  // namespace controller::telemetry
