// Of GPUs, beside telemetry_recorder_test.cpp.
#include <gmock/gmock.h>

#include <cmath>
#include <fstream>
#include <numbers>

#include "campaign/metrics/verdicts.hpp"
#include "campaign/state/files.hpp"
#include "tests/controller/recorder_fixture.hpp"

namespace controller::telemetry {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

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
