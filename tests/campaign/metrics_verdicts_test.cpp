#include "campaign/metrics/verdicts.hpp"

#include <gmock/gmock.h>

namespace campaign {
namespace {

using ::testing::Contains;
using ::testing::DoubleEq;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Optional;
using ::testing::Pair;

class VerdictsOfARun : public ::testing::Test {
 protected:
  VerdictsOfARun() { device("gpu0", "GPU-a"); }
  void device(const std::string& name, const std::string& uuid) {
    reading_.record.sources.push_back(
        {.name = name, .kind = "NVML", .unavailable = "", .device = uuid, .parent = ""});
  }
  // For this share of the window.
  void cause(const std::string& column, std::optional<double> share) {
    TelemetryFigure& figure = level(column);
    figure.mean = share;
  }
  void violation(const std::string& column, double seconds) {
    TelemetryFigure& figure = level(column);
    figure.column.counter = true;
    figure.total = seconds;
  }
  void processes(const std::string& name, double own, double foreign) {
    TelemetryFigure& ours = level(name + ".processes_own");
    ours.ever = own;
    ours.known = 10;
    level(name + ".processes_foreign").seen = foreign;
  }
  TelemetryFigure& level(const std::string& column) {
    TelemetryFigure figure;
    figure.column.name = column;
    return reading_.figures.emplace_back(figure);
  }
  GpuVerdicts verdicts() { return judge_gpus(reading_, 50).value(); }
  GpuConsequence consequence(int reruns = 0) {
    return consequence_of(verdicts(), settings_, reruns);
  }

  TelemetryReading reading_;
  Telemetry settings_;
};

TEST_F(VerdictsOfARun, OneWithoutDevicesHasNone) {
  reading_.record.sources = {{"payload", "cgroup v2", ""}};
  EXPECT_EQ(judge_gpus(reading_, 50), std::nullopt);
}

TEST_F(VerdictsOfARun, ACauseCountsAboveOnePercentOfTheWindow) {
  cause("gpu0.hw_thermal", 0.02);
  cause("gpu0.sw_thermal", 0.01);
  cause("gpu0.hw_power_brake", 0);
  EXPECT_THAT(verdicts().throttled, ElementsAre("hw_thermal"));
  EXPECT_THAT(verdicts().held_down_s, ElementsAre(Pair("hw_power_brake", 0), Pair("hw_thermal", 1),
                                                  Pair("sw_thermal", 0.5)));
}

TEST_F(VerdictsOfARun, EachOfTheFourCausesAndTheThermalCounterCount) {
  for (const char* each : {"hw_slowdown", "hw_thermal", "sw_thermal", "hw_power_brake"})
    cause(std::string("gpu0.") + each, 0.5);
  violation("gpu0.thermal_violation_s", 20);
  EXPECT_THAT(verdicts().throttled,
              ElementsAre("hw_slowdown", "hw_thermal", "sw_thermal", "hw_power_brake", "thermal"));
}

TEST_F(VerdictsOfARun, SoftwarePowerCapIsANumberAndNoVerdict) {
  cause("gpu0.sw_power_cap", 0.9);
  violation("gpu0.power_violation_s", 46);
  EXPECT_THAT(verdicts().throttled, IsEmpty());
  EXPECT_EQ(consequence().invalid_reason, "");
  const auto metrics = verdict_metrics(verdicts());
  ASSERT_EQ(metrics.size(), 1u);
  EXPECT_EQ(metrics[0].name, "gpu_power_cap_seconds");
  EXPECT_EQ(metrics[0].value, 46);
}

TEST_F(VerdictsOfARun, TheDeviceThatSufferedMostDecides) {
  device("gpu1", "GPU-b");
  cause("gpu0.hw_thermal", 0.001);
  cause("gpu1.hw_thermal", 0.3);
  EXPECT_THAT(verdicts().held_down_s, ElementsAre(Pair("hw_thermal", DoubleEq(15))));
}

TEST_F(VerdictsOfARun, WhatCannotBeJudgedSaysWhy) {
  level("gpu0.hw_thermal").column.unavailable =
      "nvmlDeviceGetCurrentClocksEventReasons: Not Supported";
  device("gpu1", "GPU-b");
  reading_.record.sources.back().unavailable = "NVML does not list it";
  EXPECT_THAT(
      verdicts().unavailable,
      ElementsAre("GPU-a: hw_thermal: nvmlDeviceGetCurrentClocksEventReasons: Not Supported",
                  "GPU-b: NVML does not list it"));
  EXPECT_EQ(consequence().invalid_reason, "") << "unknown is not throttled";
}

TEST_F(VerdictsOfARun, WhatNobodyWatchedIsNotHeldAgainstTheRun) {
  cause("gpu0.hw_thermal", 0.9);
  reading_.figures.back().unwatched_s = 40;
  reading_.figures.back().watched_mean = 0.03;
  EXPECT_THAT(verdicts().held_down_s, ElementsAre(Pair("hw_thermal", DoubleEq(0.3))));
  EXPECT_THAT(verdicts().throttled, IsEmpty());
  EXPECT_THAT(verdicts().unavailable,
              ElementsAre("GPU-a: hw_thermal: nobody watched for 40 s of the window"));
  reading_.figures.back().watched_mean = 0.1;
  EXPECT_THAT(verdicts().throttled, ElementsAre("hw_thermal")) << "a second of 50 was seen";
}

TEST_F(VerdictsOfARun, OthersProcessesAreCountedByDevice) {
  processes("gpu0", 1, 2);
  EXPECT_THAT(verdicts().foreign, ElementsAre(Pair("GPU-a", 2)));
  reading_.figures.back().seen = 0.9;
  EXPECT_THAT(verdicts().foreign, IsEmpty()) << "it was gone when the window began";
}

TEST_F(VerdictsOfARun, DeviceThatNobodyOfTheRunWasSeenOnIsAnInvalidResult) {
  processes("gpu0", 0, 0);
  EXPECT_THAT(verdicts().unused, ElementsAre("GPU-a"));
  EXPECT_EQ(consequence().cls, FailureClass::invalid_result);
  EXPECT_EQ(consequence().message,
            "no process of the run was ever seen on GPU-a, which it was granted");
}

TEST_F(VerdictsOfARun, OthersThatCannotBeSeenHideNoUnusedDevice) {
  processes("gpu0", 0, 0);
  reading_.figures.back().seen.reset();
  reading_.figures.back().column.unavailable = "/proc hides";
  EXPECT_THAT(verdicts().unused, ElementsAre("GPU-a"));
  EXPECT_THAT(verdicts().unavailable, ElementsAre("GPU-a: processes_foreign: /proc hides"));
}

TEST_F(VerdictsOfARun, DeviceThatWorkedOrWasHardlyLookedAtIsNotCalledUnused) {
  processes("gpu0", 0, 0);
  reading_.figures.front().known = 9;
  EXPECT_THAT(verdicts().unused, IsEmpty()) << "too few looks";
  reading_.figures.front().known = 10;
  level("gpu0.utilisation_pct").ever = 3;
  EXPECT_THAT(verdicts().unused, IsEmpty()) << "somebody worked on it between two looks";
}

TEST_F(VerdictsOfARun, ClockThatDriftsIsANumberAndAFlag) {
  TelemetryFigure& clock = level("gpu0.sm_clock_mhz");
  clock.first_fifth = 2000, clock.last_fifth = 1960;
  EXPECT_THAT(verdicts().clock_drift_pct, Optional(::testing::DoubleNear(-2, 1e-9)));
  EXPECT_FALSE(verdicts().clock_drifted);
  reading_.figures.back().last_fifth = 1800;
  EXPECT_TRUE(verdicts().clock_drifted);
  EXPECT_THAT(consequence().notes, ElementsAre(HasSubstr("changed by -10 %")));
  EXPECT_EQ(consequence().invalid_reason, "");
}

TEST_F(VerdictsOfARun, PolicyKeepNotesFlagInvalidatesAndRerunDoesItAgain) {
  cause("gpu0.hw_thermal", 0.2);
  EXPECT_EQ(consequence().invalid_reason, "contaminated: throttled (hw_thermal)");
  EXPECT_EQ(consequence().cls, FailureClass::none) << "flag is the default";
  settings_.on_throttle = Telemetry::Policy::keep;
  EXPECT_EQ(consequence().invalid_reason, "");
  EXPECT_THAT(consequence().notes, ElementsAre(HasSubstr("hw_thermal for 10 s")));
  settings_.on_throttle = Telemetry::Policy::rerun;
  EXPECT_EQ(consequence().cls, FailureClass::contaminated);
  EXPECT_THAT(consequence().message, HasSubstr("hw_thermal for 10 s"));
}

TEST_F(VerdictsOfARun, AfterTheLastRerunTheResultIsKeptAndFlagged) {
  processes("gpu0", 1, 1);
  settings_.on_contamination = Telemetry::Policy::rerun;
  EXPECT_EQ(consequence(1).cls, FailureClass::contaminated);
  EXPECT_EQ(consequence(2).cls, FailureClass::none);
  EXPECT_EQ(consequence(2).invalid_reason, "contaminated: shared device");
  EXPECT_THAT(consequence(2).notes, Contains(HasSubstr("run again 2 times")));
  settings_.max_reruns = 0;
  EXPECT_EQ(consequence(0).cls, FailureClass::none);
}

TEST_F(VerdictsOfARun, OnePolicyDoesNotDecideForTheOther) {
  cause("gpu0.hw_thermal", 0.2);
  processes("gpu0", 1, 1);
  settings_.on_throttle = Telemetry::Policy::keep;
  EXPECT_EQ(consequence().invalid_reason, "contaminated: shared device");
  settings_.on_throttle = Telemetry::Policy::flag;
  EXPECT_EQ(consequence().invalid_reason, "contaminated: throttled (hw_thermal), shared device");
}

}  // namespace
}  // namespace campaign
