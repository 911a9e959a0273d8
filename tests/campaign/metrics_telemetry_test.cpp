#include <gmock/gmock.h>

#include <cmath>
#include <fstream>
#include <random>

#include "campaign/metrics/telemetry.hpp"
#include "tests/campaign/config_folder.hpp"

namespace campaign {
namespace {

using ::testing::DoubleNear;
using ::testing::HasSubstr;
using ::testing::Optional;

constexpr std::int64_t ns = 1'000'000'000;
constexpr double unknown = std::numeric_limits<double>::quiet_NaN();

std::int64_t at(double seconds) { return static_cast<std::int64_t>(seconds * ns); }

class TelemetryFigures : public ::testing::Test {
 protected:
  TelemetryFigures() {
    header_ = {.run = "a.c01.a1", .boot = "b", .interval_ms = 100, .utc = 5, .mono_ns = at(10)};
    request_ = {.file = folder_ / "telemetry.jsonl",
                .window = {.seconds = 1, .begin_ns = at(10), .end_ns = at(11)}};
  }
  void column(TelemetryColumn column) { header_.columns.push_back(std::move(column)); }
  void counter(const std::string& name) {
    column({.name = name, .unit = "s", .counter = true, .from_zero = true});
  }
  void level(const std::string& name) { column({.name = name, .unit = "B"}); }
  void begin() { append_telemetry(text_, header_); }
  void row(double seconds, std::vector<double> values, std::optional<double> late = {}) {
    TelemetryRow line{.mono_ns = at(seconds), .late_ns = {}, .values = values};
    if (late) line.late_ns = at(*late);
    append_telemetry(text_, line);
  }
  // Ten samples a second, each as `value` says.
  template <class Value>
  void rows(double from, double until, Value value) {
    for (int i = 0; from + i * 0.1 <= until + 1e-9; ++i)
      row(from + i * 0.1, {static_cast<double>(value(from + i * 0.1))}, 0.0);
  }
  void end(TelemetryEnd how = {}) { append_telemetry(text_, how); }
  TelemetryReading read() {
    std::ofstream(request_.file) << text_;
    return read_telemetry(request_);
  }
  std::optional<double> metric(const std::string& name) {
    for (const MetricValue& each : telemetry_metrics(read()))
      if (each.name == name) return each.value;
    return std::nullopt;
  }

  Folder folder_;
  TelemetryHeader header_;
  TelemetryRequest request_;
  std::string text_;
};

TEST_F(TelemetryFigures, CounterIsTakenOverExactlyTheWindow) {
  counter("payload.cpu_seconds");
  begin();
  rows(9.05, 12.05, [](double t) { return (t - 9.05) * 0.5; });
  end();
  request_.window.begin_ns = at(10.02);
  request_.window.end_ns = at(10.53);
  EXPECT_THAT(metric("cpu_seconds"), Optional(DoubleNear(0.255, 1e-6)));
  EXPECT_THAT(metric("cpu_util_mean_pct"), Optional(DoubleNear(50, 1e-4)));
  EXPECT_THAT(metric("cpu_util_peak_pct"), Optional(DoubleNear(50, 1e-4)));
}

TEST_F(TelemetryFigures, CounterOfAWindowInPartsLeavesOutWhatIsBetween) {
  counter("payload.cpu_seconds");
  begin();
  rows(9, 13, [](double t) { return t < 11 ? t : 11 + 5 * (t - 11); });
  end();
  request_.window.parts = {{at(10), at(10.5)}, {at(12), at(12.25)}};
  EXPECT_THAT(metric("cpu_seconds"), Optional(DoubleNear(0.5 + 1.25, 1e-6)));
}

TEST_F(TelemetryFigures, CounterBeginsAtZeroWithTheProcessAndEndsWithTheLaunchersCount) {
  counter("payload.cpu_seconds");
  begin();
  row(9.99, {unknown});
  row(10.08, {0.08});
  row(10.98, {0.9});
  row(11.01, {unknown});
  end();
  request_.process =
      TelemetryRequest::Process{.start_ns = at(10), .end_ns = at(11), .cpu_seconds = 0.93};
  EXPECT_THAT(metric("cpu_seconds"), Optional(DoubleNear(0.93, 1e-6)));
}

TEST_F(TelemetryFigures, ProcessTooShortForASampleHasTheLaunchersCount) {
  counter("payload.cpu_seconds");
  begin();
  row(9.99, {unknown});
  row(10.03, {unknown});
  end();
  request_.window.end_ns = at(10.02);
  request_.process =
      TelemetryRequest::Process{.start_ns = at(10), .end_ns = at(10.02), .cpu_seconds = 0.015};
  EXPECT_THAT(metric("cpu_seconds"), Optional(DoubleNear(0.015, 1e-6)));
  EXPECT_EQ(metric("cpu_util_peak_pct"), std::nullopt) << "nothing was sampled";
}

TEST_F(TelemetryFigures, CounterOfASharedContainerIsTheContainersOwn) {
  column({.name = "payload.cpu_seconds", .unit = "s", .counter = true});
  begin();
  rows(9.9, 11.1, [](double t) { return 100 + t; });
  end();
  request_.process =
      TelemetryRequest::Process{.start_ns = at(10), .end_ns = at(11), .cpu_seconds = 0.2};
  EXPECT_THAT(metric("cpu_seconds"), Optional(DoubleNear(1, 1e-6)));
}

TEST_F(TelemetryFigures, LevelIsATimeWeightedMeanAndItsLargestSample) {
  level("payload.memory_bytes");
  begin();
  row(9.5, {900});
  row(10, {100});
  row(10.5, {300});
  row(10.7, {200});
  row(11, {200});
  end();
  EXPECT_THAT(metric("memory_mean_bytes"), Optional(DoubleNear(100 + 50 + 60, 1e-3)));
  EXPECT_THAT(metric("memory_peak_bytes"), Optional(DoubleNear(300, 1e-3)));
}

// As of an engine that is asked once a second: the rows in between have no value of it.
TEST_F(TelemetryFigures, ColumnOfASlowerPaceHasItsOwnIntervalAtTheEdgesAndForPeaks) {
  column({.name = "payload.cpu_seconds", .unit = "s", .counter = true, .interval_ms = 1500});
  level("payload.memory_bytes");
  header_.columns.back().interval_ms = 1500;
  begin();
  for (int i = 0; i <= 60; ++i) {
    const double t = 10 + i * 0.1;
    const bool told = i % 10 == 8;
    row(t, {told ? (t - 10) * 0.5 : unknown, told ? 4096 : unknown}, t);
  }
  end();
  request_.window.end_ns = at(16);
  EXPECT_THAT(metric("cpu_seconds"), Optional(DoubleNear(3, 1e-6)));
  EXPECT_THAT(metric("cpu_util_peak_pct"), Optional(DoubleNear(50, 1e-4)));
  EXPECT_THAT(metric("memory_peak_bytes"), Optional(DoubleNear(4096, 1e-6)));
  EXPECT_EQ(read().record.status, "complete");
  request_.window.end_ns = at(11.5);
  EXPECT_EQ(metric("memory_peak_bytes"), std::nullopt) << "most of it was not seen";
}

TEST_F(TelemetryFigures, WithoutSamplesAFigureIsNotThere) {
  level("payload.memory_bytes");
  counter("payload.io_read_bytes");
  begin();
  rows(9, 12, [](double) { return unknown; });
  end();
  EXPECT_TRUE(telemetry_metrics(read()).empty());
}

TEST_F(TelemetryFigures, UncoveredEdgeOfMoreThanTwoIntervalsHasNoTotal) {
  column({.name = "payload.io_read_bytes", .unit = "B", .counter = true});
  begin();
  row(9.9, {1});
  row(10.85, {2});
  end();
  EXPECT_THAT(metric("io_read_bytes"), Optional(DoubleNear(1 / 0.95, 1e-6)));
  text_.clear();
  begin();
  row(9.9, {1});
  row(10.7, {2});
  end();
  EXPECT_EQ(metric("io_read_bytes"), std::nullopt);
}

TEST_F(TelemetryFigures, TicksThatWereMissedAreCountedInTheWindow) {
  level("payload.memory_bytes");
  begin();
  for (const double tick : {9.6, 10.0, 10.1, 10.2, 10.5, 10.6, 10.7, 10.9, 11.4})
    row(tick + 0.004, {1}, 0.004);
  end();
  const TelemetryRecord record = read().record;
  EXPECT_EQ(record.missed_ticks, 3u);
  EXPECT_EQ(record.samples, 7u);
  EXPECT_THAT(record.jitter_p99_ms, Optional(DoubleNear(4, 1e-6)));
  EXPECT_EQ(record.status, "complete");
}

TEST_F(TelemetryFigures, HoleInTheWindowMakesItPartial) {
  level("payload.memory_bytes");
  request_.window.end_ns = at(14);
  begin();
  rows(9.9, 11, [](double) { return 1; });
  rows(12.4, 14.1, [](double) { return 1; });
  end();
  const TelemetryRecord record = read().record;
  EXPECT_EQ(record.status, "partial");
  EXPECT_THAT(record.reason, HasSubstr("1.4 s of the window have no samples"));
  EXPECT_NEAR(record.longest_gap_s, 1.4, 1e-6);
}

TEST_F(TelemetryFigures, HoleOutsideTheWindowDoesNotMatter) {
  level("payload.memory_bytes");
  begin();
  row(2, {1});
  rows(9.9, 11.1, [](double) { return 1; });
  row(30, {1});
  end();
  EXPECT_TRUE(read().record.complete());
}

TEST_F(TelemetryFigures, TakenUpByAnotherControllerIsPartial) {
  level("payload.memory_bytes");
  begin();
  rows(9.9, 10.4, [](double) { return 1; });
  begin();
  rows(10.6, 11.1, [](double) { return 3; });
  end();
  EXPECT_EQ(read().record.status, "partial");
  EXPECT_THAT(read().record.reason, HasSubstr("nobody watched"));
  EXPECT_TRUE(metric("memory_mean_bytes")) << "what there is is told";
}

TEST_F(TelemetryFigures, ResumedIsPartialHoweverItLooks) {
  level("payload.memory_bytes");
  begin();
  rows(9.9, 11.1, [](double) { return 1; });
  end();
  EXPECT_TRUE(read().record.complete());
  request_.resumed = true;
  EXPECT_EQ(read().record.status, "partial");
}

TEST_F(TelemetryFigures, LostRowsMakeItPartial) {
  level("payload.memory_bytes");
  begin();
  rows(9.9, 11.1, [](double) { return 1; });
  end({.lost_rows = 4, .failures = {}});
  EXPECT_THAT(read().record.reason, HasSubstr("4 samples"));
}

TEST_F(TelemetryFigures, SourceThatFailedOnTheWayIsUnavailableWithItsReason) {
  header_.sources = {{"payload", "cgroup v2", ""}, {"rapl", "powercap", "there is none"}};
  level("payload.memory_bytes");
  begin();
  rows(9.9, 11.1, [](double) { return 1; });
  end({.lost_rows = 0, .failures = {{"payload", "Input/output error"}}});
  const std::vector<TelemetrySource> expected = {{"payload", "cgroup v2", "Input/output error"},
                                                 {"rapl", "powercap", "there is none"}};
  EXPECT_EQ(read().record.sources, expected);
}

TEST_F(TelemetryFigures, NoFileIsUnavailable) {
  const TelemetryReading reading = read_telemetry(request_);
  EXPECT_EQ(reading.record.status, "unavailable");
  EXPECT_TRUE(reading.figures.empty());
}

TEST_F(TelemetryFigures, FileCutAtEachByteIsReadAsFarAsItGoes) {
  header_.sources = {{"payload", "cgroup v2", ""}};
  counter("payload.cpu_seconds");
  begin();
  rows(9.9, 11.1, [](double t) { return t; });
  end();
  const std::string whole = text_;
  ASSERT_TRUE(read().record.complete());
  for (std::size_t size = 0; size + 1 < whole.size(); ++size) {
    text_ = whole.substr(0, size);
    EXPECT_FALSE(read().record.complete()) << size;
  }
}

TEST_F(TelemetryFigures, LinesOfOtherKindsSayNothing) {
  level("payload.memory_bytes");
  begin();
  text_ += "nonsense\n[]\n[1]\n[\"x\",null,3]\n{\"other\":1}\n7\n[1e400,null,1]\n";
  rows(9.9, 11.1, [](double) { return 1; });
  end();
  EXPECT_TRUE(read().record.complete());
  EXPECT_THAT(metric("memory_mean_bytes"), Optional(DoubleNear(1, 1e-9)));
}

TEST_F(TelemetryFigures, ServerHasFiguresOfItsOwn) {
  level("server.memory_bytes");
  begin();
  rows(9.9, 11.1, [](double) { return 5; });
  end();
  EXPECT_THAT(metric("server_memory_peak_bytes"), Optional(5));
}

TEST_F(TelemetryFigures, HottestProcessorIsAFigure) {
  column({.name = "hwmon.coretemp.Package id 0", .unit = "C"});
  column({.name = "hwmon.coretemp.Package id 1", .unit = "C"});
  begin();
  row(9.9, {50, 40});
  row(10.5, {52, 61});
  row(11.1, {50, 40});
  end();
  EXPECT_THAT(metric("cpu_temp_peak_c"), Optional(61));
}

TEST_F(TelemetryFigures, DeclaredMetricOfTheSameNameWins) {
  std::vector<MetricValue> metrics = {{"cpu_seconds", 7, "s"}};
  MetricValue other{"cpu_seconds", 9, "s"}, more{"memory_peak_bytes", 1, "B"};
  other.sampled = more.sampled = true;
  add_sampled_metrics(metrics, {other, more});
  ASSERT_EQ(metrics.size(), 2u);
  EXPECT_EQ(metrics[0].value, 7);
  EXPECT_FALSE(metrics[0].sampled);
  EXPECT_TRUE(metrics[1].sampled);
}

// A counter of energy with a range of its own, sampled at moments that jitter, of a power that
// changes: its growth over any window is the integral of that power.
TEST_F(TelemetryFigures, EnergyOfAWrappingCounterIsTheIntegralOfItsPower) {
  std::mt19937 random(20261126);
  const auto between = [&](double low, double high) {
    return std::uniform_real_distribution<double>(low, high)(random);
  };
  for (int round = 0; round < 200; ++round) {
    text_.clear();
    header_.columns.clear();
    const double range = between(70, 300), mean = between(20, 300), swing = between(0, 0.9) * mean;
    const double period = between(2, 20), first = between(0, range);
    const auto joules = [&](double t) {  // of mean + swing * sin(t / period)
      return mean * t - swing * period * (std::cos(t / period) - 1);
    };
    column({.name = "rapl.package-0", .unit = "J", .counter = true, .wraps_at = range});
    begin();
    for (double t = 0; t < 12; t += between(0.09, 0.11))
      row(9 + t, {std::fmod(first + joules(t), range)}, 0.0);
    end();
    const double from = between(0.2, 3), until = from + between(2, 7);
    request_.window = {.seconds = until - from, .begin_ns = at(9 + from), .end_ns = at(9 + until)};
    const auto total = read().figures.at(0).total;
    const double expected = joules(until) - joules(from);
    EXPECT_THAT(total, Optional(DoubleNear(expected, 0.005 * expected))) << round;
  }
}

TEST_F(TelemetryFigures, CounterThatBeginsAnewInTheWindowHasNoTotal) {
  column({.name = "rapl.package-0", .unit = "J", .counter = true, .wraps_at = 262143});
  begin();
  rows(9.9, 11.1, [](double t) { return t < 10.55 ? 5000 + t : t - 10; });
  end();
  const TelemetryFigure figure = read().figures.at(0);
  EXPECT_EQ(figure.total, std::nullopt);
  EXPECT_THAT(figure.broken, HasSubstr("rapl.package-0 began anew"));
}

TEST_F(TelemetryFigures, CounterThatBeganAnewBeforeTheWindowCounts) {
  column({.name = "rapl.package-0", .unit = "J", .counter = true, .wraps_at = 262143});
  begin();
  rows(9.0, 11.1, [](double t) { return t < 9.55 ? 5000 + t : 20 * t; });
  end();
  EXPECT_THAT(read().figures.at(0).total, Optional(DoubleNear(20, 1e-4)));
}

class GpuFigures : public TelemetryFigures {
 protected:
  GpuFigures() {
    header_.sources = {
        {.name = "gpu0", .kind = "NVML", .unavailable = "", .device = "GPU-a", .parent = ""}};
  }
};

TEST_F(GpuFigures, HeaderNamesTheDeviceAndWhyAColumnHasNoValues) {
  column({.name = "gpu0.energy_j",
          .unit = "J",
          .counter = true,
          .unavailable = "nvmlDeviceGetTotalEnergyConsumption: Not Supported"});
  begin();
  EXPECT_THAT(text_, HasSubstr(R"("device":"GPU-a")"));
  rows(9.9, 11.1, [](double) { return unknown; });
  end();
  const TelemetryReading reading = read();
  EXPECT_EQ(reading.record.sources, header_.sources);
  EXPECT_THAT(reading.figures.at(0).column.unavailable, HasSubstr("Not Supported"));
}

TEST_F(GpuFigures, StepOfACounterIsItsGrowthWhereItGrows) {
  column({.name = "gpu0.energy_j", .unit = "J", .counter = true});
  begin();
  rows(9.9, 11.1, [](double t) { return 50 * std::floor(t / 0.2 + 1e-6); });
  end();
  EXPECT_THAT(read().figures.at(0).step, Optional(DoubleNear(50, 1e-9)));
}

TEST_F(GpuFigures, ClockHasItsFirstAndLastFifth) {
  column({.name = "gpu0.sm_clock_mhz", .unit = "MHz"});
  request_.window.parts = {{at(10), at(11)}, {at(13), at(14)}};
  begin();
  rows(9, 15, [](double t) { return t < 10.5 ? 2000 : t < 13.55 ? 1900 : 1800; });
  end();
  const TelemetryFigure figure = read().figures.at(0);
  EXPECT_THAT(figure.first_fifth, Optional(DoubleNear(2000, 1e-6)));
  EXPECT_THAT(figure.last_fifth, Optional(DoubleNear(1800, 1e-6)));
}

TEST_F(GpuFigures, LevelThatNobodyWatchedIsToldApart) {
  column({.name = "gpu0.hw_thermal", .unit = ""});
  column({.name = "gpu0.sm_clock_mhz", .unit = "MHz"});
  request_.window = {.seconds = 20, .begin_ns = at(10), .end_ns = at(30)};
  begin();
  for (double t = 9.9; t < 12.05; t += 0.1) row(t, {1, 2000});
  for (double t = 28; t < 30.2; t += 0.1) row(t, {0, 1000});
  end();
  const TelemetryFigure held = read().figures.at(0);
  EXPECT_NEAR(held.unwatched_s, 16, 0.01);
  EXPECT_NEAR(held.watched_mean, 0.5, 0.01);
  const TelemetryFigure clock = read().figures.at(1);
  EXPECT_FALSE(clock.first_fifth || clock.last_fifth) << "half of each was not watched";
}

TEST_F(GpuFigures, JoulesBeforeAndAfterTheWindowAreThoseOfTheProcess) {
  column({.name = "gpu0.energy_j", .unit = "J", .counter = true});
  column({.name = "gpu0.power_w", .unit = "W"});
  request_.process = TelemetryRequest::Process{.start_ns = at(9), .end_ns = at(13)};
  begin();
  for (int i = -20; i < 50; ++i) {
    const double t = 10 + i * 0.1;
    row(t, {300 * t, 300}, 0.0);
  }
  end();
  for (const TelemetryFigure& figure : read().figures) {
    EXPECT_THAT(figure.before_j, Optional(DoubleNear(300, 1e-3))) << figure.column.name;
    EXPECT_THAT(figure.after_j, Optional(DoubleNear(600, 1e-3))) << figure.column.name;
  }
}

TEST_F(GpuFigures, LargestEverIsThatOfTheWholeFile) {
  column({.name = "gpu0.processes_own", .unit = ""});
  begin();
  row(9, {3});
  rows(9.9, 11.1, [](double) { return 1; });
  end();
  const TelemetryFigure figure = read().figures.at(0);
  EXPECT_THAT(figure.ever, Optional(3));
  EXPECT_THAT(figure.peak, Optional(DoubleNear(1, 0.3)));
  EXPECT_EQ(figure.known, 14u);
}

TEST_F(GpuFigures, PowersAddUpAndTheHottestCounts) {
  header_.sources.push_back(
      {.name = "gpu1", .kind = "NVML", .unavailable = "", .device = "GPU-b", .parent = ""});
  for (const char* name : {"gpu0.power_w", "gpu1.power_w"}) column({.name = name, .unit = "W"});
  for (const char* name : {"gpu0.temperature_c", "gpu1.temperature_c"})
    column({.name = name, .unit = "C"});
  begin();
  for (const double t : {9.9, 10.4, 11.1}) row(t, {300, 200, 60, 71});
  end();
  EXPECT_THAT(metric("gpu_power_mean_w"), Optional(DoubleNear(500, 1e-6)));
  EXPECT_THAT(metric("gpu_temp_peak_c"), Optional(71));
  header_.sources[1].parent = header_.sources[0].device;
  text_.clear();
  begin();
  for (const double t : {9.9, 10.4, 11.1}) row(t, {300, 300, 60, 60});
  end();
  EXPECT_THAT(metric("gpu_power_mean_w"), Optional(DoubleNear(300, 1e-6)))
      << "two instances of one GPU have its power once";
}

TEST_F(GpuFigures, MemoryOfSeveralInstancesIsThatOfTheFullest) {
  header_.sources = {
      {.name = "gpu0", .kind = "NVML", .unavailable = "", .device = "MIG-a", .parent = "GPU-a"},
      {.name = "gpu1", .kind = "NVML", .unavailable = "", .device = "MIG-b", .parent = "GPU-a"}};
  for (const char* name : {"gpu0.memory_bytes", "gpu1.memory_bytes"})
    column({.name = name, .unit = "B"});
  begin();
  for (const double t : {9.9, 10.4, 11.1}) row(t, {500, 900});
  end();
  EXPECT_THAT(metric("gpu_memory_peak_bytes"), Optional(900));
}

// As above, with a counter that is brought up to date every 20 to 100 ms, over windows as long as
// 0.5 % needs them: sampled counters and the integral of sampled power are both right.
TEST_F(GpuFigures, EnergyOfASteppedCounterAndOfItsPowerAreTheIntegral) {
  std::mt19937 random(20261127);
  const auto between = [&](double low, double high) {
    return std::uniform_real_distribution<double>(low, high)(random);
  };
  for (int round = 0; round < 50; ++round) {
    text_.clear();
    header_.columns.clear();
    const double mean = between(100, 700), swing = between(0, 0.5) * mean, period = between(1, 5);
    const double step = between(0.02, 0.1);
    const auto joules = [&](double t) {
      return mean * t - swing * period * (std::cos(t / period) - 1);
    };
    column({.name = "gpu0.energy_j", .unit = "J", .counter = true});
    column({.name = "gpu0.power_w", .unit = "W"});
    begin();
    for (double t = 0; t < 52; t += between(0.09, 0.11))
      row(9 + t, {joules(std::floor(t / step) * step), mean + swing * std::sin(t / period)}, 0.0);
    end();
    const double from = between(0.2, 3), until = from + between(45, 48);
    request_.window = {.seconds = until - from, .begin_ns = at(9 + from), .end_ns = at(9 + until)};
    const double expected = joules(until) - joules(from);
    const TelemetryReading reading = read();
    EXPECT_THAT(reading.figures.at(0).total, Optional(DoubleNear(expected, 0.005 * expected)));
    EXPECT_NEAR(*reading.figures.at(1).mean * (until - from), expected, 0.005 * expected);
  }
}

}  // namespace
}  // namespace campaign
