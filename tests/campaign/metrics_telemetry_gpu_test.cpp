// Of GPUs, beside metrics_telemetry_test.cpp.
#include <gmock/gmock.h>

#include <cmath>
#include <random>

#include "tests/campaign/telemetry_fixture.hpp"

namespace campaign {
namespace {

using ::testing::DoubleNear;
using ::testing::HasSubstr;
using ::testing::Optional;

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
