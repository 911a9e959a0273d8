#include <gmock/gmock.h>

#include <cmath>
#include <random>

#include "tests/campaign/telemetry_fixture.hpp"

namespace campaign {
namespace {

using ::testing::DoubleNear;
using ::testing::HasSubstr;
using ::testing::Optional;

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

}  // namespace
}  // namespace campaign
