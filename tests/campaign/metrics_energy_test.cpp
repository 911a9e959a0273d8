#include "campaign/metrics/energy.hpp"

#include <gmock/gmock.h>

namespace campaign {
namespace {

using ::testing::DoubleEq;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Optional;
using ::testing::Pair;

class EnergyOfARun : public ::testing::Test {
 protected:
  EnergyOfARun() {
    reading_.record = {.status = "complete", .sources = {{"rapl", "powercap", ""}}};
    counter("rapl.package-0", 100);
    counter("rapl.package-0.dram", 20);
    counter("payload.cpu_seconds", 5);
    window_ = {.source = MeasureWindow::Source::phase, .seconds = 2};
  }
  void counter(const std::string& name, std::optional<double> total) {
    reading_.figures.push_back({.column = {.name = name, .unit = "J", .counter = true},
                                .total = total,
                                .mean = total ? *total / 2 : total,
                                .peak = {},
                                .broken = ""});
  }
  EnergyRecord energy() {
    return energy_of(
        {.settings = &settings_, .reading = &reading_, .window = window_, .baseline = baseline_});
  }
  std::vector<std::pair<std::string, double>> metrics() {
    std::vector<std::pair<std::string, double>> found;
    for (const MetricValue& metric : energy_metrics(energy()))
      found.emplace_back(metric.name, metric.value);
    return found;
  }

  Energy settings_;
  TelemetryReading reading_;
  MeasureWindow window_;
  std::optional<EnergyBaseline> baseline_;
};

TEST_F(EnergyOfARun, IsTheSumOfPackagesAndTheirMemory) {
  baseline_ = {.watts = 25, .utc = 9, .age_s = 3, .method = "cached"};
  const EnergyRecord record = energy();
  EXPECT_EQ(record.reason, "");
  EXPECT_THAT(record.raw_j, Optional(DoubleEq(120)));
  EXPECT_THAT(record.adjusted_j, Optional(DoubleEq(70)));
  EXPECT_EQ(record.baseline_method, "cached");
  EXPECT_EQ(record.baseline_cache_age_s, 3);
  EXPECT_THAT(metrics(), ElementsAre(Pair("energy_raw_j", 120), Pair("energy_adjusted_j", 70),
                                     Pair("cpu_energy_j", 100), Pair("ram_energy_j", 20)));
}

TEST_F(EnergyOfARun, IsNeverBelowZeroWithoutTheBaseline) {
  baseline_ = {.watts = 1000, .method = "fresh"};
  EXPECT_THAT(energy().adjusted_j, Optional(DoubleEq(0)));
}

TEST_F(EnergyOfARun, WithoutABaselineIsRawOnly) {
  const EnergyRecord record = energy();
  EXPECT_EQ(record.adjusted_j, std::nullopt);
  EXPECT_EQ(record.baseline_method, "unavailable");
  EXPECT_THAT(record.raw_j, Optional(DoubleEq(120)));
}

TEST_F(EnergyOfARun, OfAWholeProcessHasToBeAllowed) {
  window_.source = MeasureWindow::Source::process;
  EXPECT_THAT(energy().reason, HasSubstr("allow_process_window"));
  EXPECT_EQ(energy().raw_j, std::nullopt);
  settings_.allow_process_window = true;
  EXPECT_THAT(energy().raw_j, Optional(DoubleEq(120)));
}

TEST_F(EnergyOfARun, OfAWindowThatWasNotWatchedIsUnavailable) {
  reading_.record.status = "partial";
  reading_.record.reason = "nobody watched";
  EXPECT_EQ(energy().reason, "telemetry is partial: nobody watched");
  EXPECT_TRUE(metrics().empty());
}

TEST_F(EnergyOfARun, OfAMachineWithoutCountersSaysWhy) {
  reading_.record.sources = {{"rapl", "powercap", "there is no RAPL package"}};
  EXPECT_EQ(energy().reason, "there is no RAPL package");
  reading_.record.sources = {{"hwmon", "hwmon", ""}};
  EXPECT_THAT(energy().reason, HasSubstr("does not name rapl"));
}

TEST_F(EnergyOfARun, OfAnotherMachinesContainerIsUnavailable) {
  reading_.record.sources.push_back({"payload", "", "its control group is not to be seen"});
  EXPECT_THAT(energy().reason, HasSubstr("not seen on this machine"));
}

TEST_F(EnergyOfARun, NeedsEveryCounterOverTheWholeWindow) {
  counter("rapl.package-1", std::nullopt);
  EXPECT_THAT(energy().reason, HasSubstr("rapl.package-1 was not read"));
  reading_.figures.back().broken = "rapl.package-1 began anew within the window";
  EXPECT_THAT(energy().reason, HasSubstr("began anew"));
}

TEST_F(EnergyOfARun, MeanPowerIsThatOfAllDomains) {
  EXPECT_THAT(mean_watts(reading_), Optional(DoubleEq(60)));
  reading_.record.status = "partial";
  EXPECT_EQ(mean_watts(reading_), std::nullopt);
}

}  // namespace
}  // namespace campaign
