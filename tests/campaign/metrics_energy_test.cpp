#include "campaign/metrics/energy.hpp"

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
                                .seen = {},
                                .broken = ""});
  }
  // A GPU whose counter grew by so much, in steps, and whose power was so much.
  void gpu(const std::string& name, const std::string& uuid) {
    reading_.record.sources.push_back(
        {.name = name, .kind = "NVML", .unavailable = "", .device = uuid, .parent = ""});
  }
  void gpu_counter(const std::string& name, std::optional<double> total, double step = 0.1) {
    counter(name + ".energy_j", total);
    if (total) reading_.figures.back().step = step;
  }
  void gpu_power(const std::string& name, std::optional<double> watts) {
    reading_.figures.push_back({.column = {.name = name + ".power_w", .unit = "W"},
                                .total = {},
                                .mean = watts,
                                .peak = watts,
                                .seen = {},
                                .broken = ""});
  }
  EnergyRecord energy() {
    return energy_of({.settings = &settings_,
                      .reading = &reading_,
                      .window = window_,
                      .gpus = devices_,
                      .baseline = baseline_});
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
  std::size_t devices_ = 0;
  std::optional<EnergyBaseline> baseline_;
};

TEST_F(EnergyOfARun, IsTheSumOfPackagesAndTheirMemory) {
  baseline_ = {.watts = {{"package-0", 20}, {"package-0.dram", 5}, {"GPU-b", 70}},
               .utc = 9,
               .age_s = 3,
               .method = "cached"};
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
  baseline_ = {.watts = {{"package-0", 1000}, {"package-0.dram", 0}}, .method = "fresh"};
  EXPECT_THAT(energy().adjusted_j, Optional(DoubleEq(0)));
}

TEST_F(EnergyOfARun, WithoutABaselineIsRawOnly) {
  const EnergyRecord record = energy();
  EXPECT_EQ(record.adjusted_j, std::nullopt);
  EXPECT_EQ(record.baseline_method, "unavailable");
  EXPECT_EQ(record.baseline_utc, std::nullopt) << "unknown is not zero";
  EXPECT_EQ(record.baseline_cache_age_s, std::nullopt);
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
  reading_.record.sources.back() = {"payload", engine_stats_kind, ""};
  EXPECT_THAT(energy().reason, HasSubstr("not seen on this machine: its engine counts for it"));
}

TEST_F(EnergyOfARun, NeedsEveryCounterOverTheWholeWindow) {
  counter("rapl.package-1", std::nullopt);
  EXPECT_THAT(energy().reason, HasSubstr("rapl.package-1 was not read"));
  reading_.figures.back().broken = "rapl.package-1 began anew within the window";
  EXPECT_THAT(energy().reason, HasSubstr("began anew"));
}

TEST_F(EnergyOfARun, MeanPowerIsThatOfAllDomains) {
  gpu("gpu0", "GPU-a");
  gpu_counter("gpu0", 40);
  gpu_power("gpu0", 19);
  EXPECT_THAT(mean_watts(settings_, reading_),
              ElementsAre(Pair("GPU-a", 20), Pair("package-0", 50), Pair("package-0.dram", 10)));
  reading_.record.status = "partial";
  EXPECT_THAT(mean_watts(settings_, reading_), IsEmpty());
}

TEST_F(EnergyOfARun, MeanPowerOfSomeDomainsNeedsNoOthers) {
  gpu("gpu0", "GPU-a");
  reading_.record.sources.back().unavailable = "NVML does not list it";
  EXPECT_THAT(mean_watts(settings_, reading_),
              ElementsAre(Pair("package-0", 50), Pair("package-0.dram", 10)));
  reading_.figures.front().mean.reset();
  EXPECT_THAT(mean_watts(settings_, reading_), ElementsAre(Pair("package-0.dram", 10)));
}

TEST_F(EnergyOfARun, OfAGpuIsWhatItsCounterSays) {
  gpu("gpu0", "GPU-a");
  gpu_counter("gpu0", 600, 2);
  gpu_power("gpu0", 301);
  baseline_ = {.watts = {{"package-0", 20}, {"package-0.dram", 5}, {"GPU-a", 70}}};
  const EnergyRecord record = energy();
  EXPECT_THAT(record.domains_j, Contains(Pair("GPU-a", 600)));
  EXPECT_THAT(record.raw_j, Optional(DoubleEq(720)));
  EXPECT_THAT(record.adjusted_j, Optional(DoubleEq(720 - 2 * 95)));
  ASSERT_EQ(record.gpus.size(), 1u);
  EXPECT_EQ(record.gpus[0].method, "counter");
  EXPECT_THAT(record.gpus[0].power_j, Optional(DoubleEq(602)));
  EXPECT_THAT(record.uncertainty_j, Optional(DoubleEq(4))) << "a step at each end";
  EXPECT_THAT(record.notes, IsEmpty());
  EXPECT_THAT(metrics(), Contains(Pair("gpu_energy_j", 600)));
  EXPECT_THAT(metrics(), Contains(Pair("cpu_energy_j", 100)));
}

TEST_F(EnergyOfARun, WindowTooShortForOnePercentIsNoted) {
  gpu("gpu0", "GPU-a");
  gpu_counter("gpu0", 600, 30);
  EXPECT_THAT(energy().notes,
              ElementsAre("the energy counter of GPU-a was seen to step by 30 J: "
                          "600 J are known to 10 %; for 1 % the window has to last 20 s"));
  EXPECT_THAT(open_part(energy()), Optional(DoubleEq(0.1)));
}

TEST_F(EnergyOfARun, OfOnePercentOrFromPowerLeavesNothingOpen) {
  gpu("gpu0", "GPU-a");
  gpu_counter("gpu0", 600, 3);
  EXPECT_EQ(open_part(energy()), std::nullopt);
  reading_.figures.pop_back();
  gpu_power("gpu0", 150);
  ASSERT_EQ(energy().gpus.at(0).method, "power");
  EXPECT_EQ(open_part(energy()), std::nullopt);
}

TEST_F(EnergyOfARun, CounterAndPowerThatDisagreeAreNoted) {
  gpu("gpu0", "GPU-a");
  gpu_counter("gpu0", 600);
  gpu_power("gpu0", 400);
  EXPECT_THAT(energy().notes, ElementsAre("the energy of GPU-a is 600 J by its counter and 800 J "
                                          "by its power"));
}

TEST_F(EnergyOfARun, PowerStandsInForACounterThatIsAbsentOrBeganAnew) {
  gpu("gpu0", "GPU-a");
  gpu_counter("gpu0", std::nullopt);
  gpu_power("gpu0", 150);
  EXPECT_THAT(energy().domains_j, Contains(Pair("GPU-a", 300)));
  EXPECT_EQ(energy().gpus.at(0).method, "power");
  EXPECT_THAT(energy().uncertainty_j, Optional(DoubleEq(15)));
  EXPECT_THAT(energy().notes, ElementsAre(HasSubstr("GPU-a has no energy counter")));
  reading_.figures[3].broken = "gpu0.energy_j began anew within the window";
  EXPECT_THAT(energy().notes, ElementsAre(HasSubstr("began anew within the window; its energy")));
}

TEST_F(EnergyOfARun, CounterThatMadeNoStepSaysNothing) {
  gpu("gpu0", "GPU-a");
  counter("gpu0.energy_j", 0);
  gpu_power("gpu0", 150);
  const EnergyRecord record = energy();
  EXPECT_THAT(record.domains_j, Contains(Pair("GPU-a", 300)));
  EXPECT_EQ(record.gpus.at(0).method, "power");
  EXPECT_THAT(record.gpus.at(0).counter_j, Optional(0));
  EXPECT_THAT(record.uncertainty_j, Optional(DoubleEq(15)));
  EXPECT_THAT(record.notes, ElementsAre("GPU-a: its energy counter made no step within the window; "
                                        "its energy is integrated from its power"));
  EXPECT_THAT(mean_watts(settings_, reading_), Contains(Pair("GPU-a", 150)));
  reading_.figures.pop_back();
  EXPECT_EQ(energy().reason, "GPU-a: its energy counter made no step within the window");
}

TEST_F(EnergyOfARun, OfAGpuThatCannotBeReadIsNoneAtAll) {
  gpu("gpu0", "GPU-a");
  gpu("gpu1", "GPU-b");
  reading_.record.sources.back().unavailable = "NVML does not list it";
  gpu_power("gpu0", 150);
  EXPECT_EQ(energy().reason, "GPU-b: NVML does not list it");
  EXPECT_EQ(energy().raw_j, std::nullopt) << "a sum without it would look like a saving";
}

TEST_F(EnergyOfARun, OfGpusAloneSaysWhatIsNotInTheSum) {
  reading_.figures.clear();
  reading_.record.sources = {{"rapl", "powercap", "Permission denied"}};
  gpu("gpu0", "GPU-a");
  gpu_counter("gpu0", 600);
  EXPECT_THAT(energy().raw_j, Optional(DoubleEq(600)));
  EXPECT_THAT(energy().missing, ElementsAre(Pair("rapl", "Permission denied")));
}

TEST_F(EnergyOfARun, GpusThatAreNotSampledAreMissing) {
  devices_ = 1;
  EXPECT_THAT(energy().missing, ElementsAre(Pair("nvml", HasSubstr("does not name nvml"))));
  settings_.sources = {"nvml"};
  EXPECT_EQ(energy().reason, "telemetry.sources does not name nvml") << "and nothing else counts";
  devices_ = 0;
  EXPECT_THAT(energy().reason, HasSubstr("the run has no GPU"));
}

TEST_F(EnergyOfARun, SourcesDecideWhatIsCounted) {
  gpu("gpu0", "GPU-a");
  gpu_counter("gpu0", 600);
  settings_.sources = {"rapl"};
  EXPECT_THAT(energy().raw_j, Optional(DoubleEq(120)));
  settings_.sources = {"nvml"};
  EXPECT_THAT(energy().raw_j, Optional(DoubleEq(600)));
}

TEST_F(EnergyOfARun, InstancesOfOneGpuCountItOnceAndSayWhose) {
  for (const char* name : {"gpu0", "gpu1"}) {
    gpu(name, std::string("MIG-") + name);
    reading_.record.sources.back().parent = "GPU-a";
    gpu_counter(name, 600);
  }
  EXPECT_THAT(energy().raw_j, Optional(DoubleEq(720)));
  EXPECT_THAT(energy().notes, ElementsAre("the energy of MIG-gpu0 is that of the whole GPU GPU-a"));
}

TEST_F(EnergyOfARun, StagesAreThereWhereEveryDomainWasSeen) {
  gpu("gpu0", "GPU-a");
  gpu_counter("gpu0", 600);
  for (TelemetryFigure& figure : reading_.figures) figure.before_j = 7;
  EXPECT_THAT(energy().stages_j, ElementsAre(Pair("before", 21), Pair("measure", 720)));
}

TEST_F(EnergyOfARun, BaselineWithoutOneOfItsDomainsIsUnavailable) {
  gpu("gpu0", "GPU-a");
  gpu_counter("gpu0", 600);
  baseline_ = {.watts = {{"package-0", 20}, {"package-0.dram", 5}}, .method = "fresh"};
  EXPECT_EQ(energy().adjusted_j, std::nullopt);
  EXPECT_EQ(energy().baseline_method, "unavailable");
}

}  // namespace
}  // namespace campaign
