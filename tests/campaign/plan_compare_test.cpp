#include "tests/campaign/plan_support.hpp"

namespace campaign {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::string> told(const Campaign& before, const Campaign& now) {
  const Plan first = make_plan(before);
  const Plan second = make_plan(now);
  std::vector<std::string> result;
  for (const PlanChange& change : compare_plans({&before, &first}, {&now, &second}))
    result.push_back(change.text());
  return result;
}

TEST(ComparePlans, OfTheSameCampaignIsEmpty) {
  EXPECT_THAT(told(with_axes(R"({"tp":[1,2]})"), with_axes(R"({"tp":[1,2]})")), IsEmpty());
}

TEST(ComparePlans, TellsAddedAndRemovedExperiments) {
  EXPECT_THAT(told(with_axes(R"({"tp":[1,2]})"), with_axes(R"({"tp":[2,4]})")),
              ElementsAre("experiment `tp1` is gone", "experiment `tp4` is new"));
}

TEST(ComparePlans, ARenamedExperimentIsNoChange) {
  Campaign now = with_axes(R"({"tp":[1,2]})");
  now.name_template = "x{p.tp}";
  EXPECT_THAT(told(with_axes(R"({"tp":[1,2]})"), now), IsEmpty());
}

TEST(ComparePlans, TellsChangedKeysOfConfigAndRunner) {
  Campaign before = with_axes(R"({"tp":[1]})");
  before.set = from_json(R"({"batch":4,"old":true,"v":1})");
  Campaign now = with_axes(R"({"tp":[1]})");
  now.set = from_json(R"({"batch":8,"v":"1","l":[1,"a"]})");
  now.runner->image = "img:2";
  EXPECT_THAT(
      told(before, now),
      ElementsAre(
          "experiment `demo` changed: batch: 4 -> 8; l: unset -> [1,\"a\"]; old: true -> unset; "
          "runner.image: img:1 -> img:2; v: 1 -> \"1\""));
}

TEST(ComparePlans, TellsCyclesAndProtocol) {
  const Campaign before = with_axes(R"({"tp":[1,2]})");
  Campaign now = before;
  now.execution.cycles = 8;
  now.execution.seed = 7;
  now.execution.structure = Structure::grouped;
  now.execution.config_gap_seconds = 1.5;
  now.execution.workers = 2;
  now.execution.retries.by_class["payload"] = 1;
  now.runner->timeout = 60;
  EXPECT_THAT(told(before, now),
              ElementsAre("cycles: 2 -> 8", "protocol: execution.config_gap_seconds: 0.0 -> 1.5",
                          "protocol: execution.retries.payload: unset -> 1",
                          "protocol: execution.seed: 3069011196268734596 -> 7",
                          "protocol: execution.structure: shuffled -> grouped",
                          "protocol: execution.workers: 1 -> 2",
                          "protocol: runner.timeout: 7200.0 -> 60.0"));
}

TEST(ComparePlans, TellsThermalSettingsAsProtocol) {
  const Campaign before = with_axes(R"({"tp":[1,2]})");
  Campaign now = before;
  now.thermal = {.mode = Thermal::Mode::adaptive,
                 .target_c = 45,
                 .band_c = 2,
                 .stable_c_per_min = 0.5,
                 .max_wait = 300,
                 .sensor = Thermal::Sensor::hwmon};
  EXPECT_THAT(told(before, now), ElementsAre("protocol: thermal.band_c: 3.0 -> 2.0",
                                             "protocol: thermal.max_wait: 900.0 -> 300.0",
                                             "protocol: thermal.mode: auto -> adaptive",
                                             "protocol: thermal.sensor: auto -> hwmon",
                                             "protocol: thermal.stable_c_per_min: 1.0 -> 0.5",
                                             "protocol: thermal.target_c: null -> 45.0"));
  now = before;
  now.execution.config_gap_written = true;
  EXPECT_THAT(told(before, now), ElementsAre("protocol: thermal.mode: auto -> fixed"));
}

TEST(ComparePlans, TellsWhichResultsCountAndWhoseEnergy) {
  const Campaign before = with_axes(R"({"tp":[1,2]})");
  Campaign now = before;
  now.telemetry.on_throttle = Telemetry::Policy::rerun;
  now.telemetry.on_contamination = Telemetry::Policy::keep;
  now.telemetry.max_reruns = 5;
  now.energy.sources = {"rapl"};
  now.execution.placement = GpuPlacement::any;
  EXPECT_THAT(told(before, now),
              ElementsAre("protocol: execution.placement: null -> any",
                          "protocol: telemetry.max_reruns: 2 -> 5",
                          "protocol: telemetry.on_contamination: flag -> keep",
                          "protocol: telemetry.on_throttle: flag -> rerun",
                          R"(protocol: energy.sources: ["nvml","rapl"] -> ["rapl"])"));
}

TEST(ComparePlans, TellsFewerCycles) {
  const Campaign before = with_axes(R"({"tp":[1]})");
  Campaign now = before;
  now.execution.cycles = 1;
  const Plan first = make_plan(before);
  const Plan second = make_plan(now);
  const auto changes = compare_plans({&before, &first}, {&now, &second});
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_EQ(changes[0].kind, PlanChange::Kind::removed_cycles);
}

Forecast expected(const Campaign& campaign, const std::vector<std::optional<double>>& seconds) {
  const Plan plan = make_plan(campaign);
  return forecast({&campaign, &plan, seconds});
}

Campaign with_gaps(Structure structure) {
  Campaign campaign = with_axes(R"({"tp":[1,2,4]})");
  campaign.execution.structure = structure;
  campaign.execution.config_gap_seconds = 10;
  campaign.execution.cycle_gap_seconds = 100;
  return campaign;
}

TEST(Forecast, TakesTheLargerGapWhereTheCycleChangesAndNoneBeforeTheFirstRun) {
  const Forecast result = expected(with_gaps(Structure::shuffled), {1, 2, 3});
  EXPECT_EQ(result.runs, 6U);
  EXPECT_DOUBLE_EQ(result.run_seconds, 12);
  EXPECT_DOUBLE_EQ(result.gap_seconds, 4 * 10 + 100);
  EXPECT_EQ(result.unknown_runs, 0U);
}

TEST(Forecast, InGroupedTheCycleGapStandsWhereTheExperimentChanges) {
  EXPECT_DOUBLE_EQ(expected(with_gaps(Structure::grouped), {}).gap_seconds, 3 * 10 + 2 * 100);
}

TEST(Forecast, CountsSecondsOfDevicesWhereBothAreKnown) {
  const Campaign campaign = with_gaps(Structure::shuffled);
  const Plan plan = make_plan(campaign);
  const Forecast known = forecast({&campaign, &plan, {10, 20, std::nullopt}, {1, 2, 0}});
  EXPECT_DOUBLE_EQ(known.gpu_seconds, 2 * (10 * 1 + 20 * 2));
  EXPECT_FALSE(known.more_gpu_seconds);
  EXPECT_TRUE(forecast({&campaign, &plan, {10, 20, 30}, {1, 2, std::nullopt}}).more_gpu_seconds);
  EXPECT_TRUE(forecast({&campaign, &plan, {10, std::nullopt, 30}, {1, 2, 0}}).more_gpu_seconds);
  EXPECT_EQ(expected(campaign, {10, 20, 30}).gpu_seconds, 0);
}

TEST(Forecast, AShorterCycleGapChangesNothing) {
  Campaign campaign = with_gaps(Structure::interleaved);
  campaign.execution.cycle_gap_seconds = 5;
  EXPECT_DOUBLE_EQ(expected(campaign, {}).gap_seconds, 50);
}

TEST(Forecast, AnAppendedBlockEntersNoCycleAnew) {
  const Campaign campaign = with_gaps(Structure::interleaved);
  Plan plan = make_plan(campaign);
  plan.runs = {{0, 1}, {0, 2}, {1, 1, 1}, {1, 2, 1}};
  EXPECT_DOUBLE_EQ(forecast({&campaign, &plan, {}}).gap_seconds, 100 + 10 + 10);
}

TEST(Forecast, KnowsTheLengthOfFixedGapsAndThatAdaptiveOnesHaveNone) {
  Campaign campaign = with_gaps(Structure::interleaved);
  campaign.thermal.mode = Thermal::Mode::none;
  EXPECT_DOUBLE_EQ(expected(campaign, {}).gap_seconds, 0);
  campaign.execution.config_gap_seconds = campaign.execution.cycle_gap_seconds = 0;
  campaign.thermal.mode = Thermal::Mode::fixed;
  EXPECT_DOUBLE_EQ(expected(campaign, {}).gap_seconds, 5 * 60);
  EXPECT_FALSE(expected(campaign, {}).adaptive_gaps);
  campaign.thermal.mode = Thermal::Mode::adaptive;
  EXPECT_DOUBLE_EQ(expected(campaign, {}).gap_seconds, 0);
  EXPECT_TRUE(expected(campaign, {}).adaptive_gaps);
  campaign.thermal.mode = Thermal::Mode::automatic;
  EXPECT_FALSE(expected(campaign, {}).adaptive_gaps);
  campaign.runner->gpus = GpuWish{.kind = GpuWish::Kind::count, .count = 1, .ids = {}};
  EXPECT_TRUE(expected(campaign, {}).adaptive_gaps);
  campaign.execution.config_gap_written = true;
  EXPECT_FALSE(expected(campaign, {}).adaptive_gaps);
}

TEST(Forecast, CountsRunsWithoutAnEstimate) {
  const Forecast result = expected(with_gaps(Structure::shuffled), {1, std::nullopt});
  EXPECT_EQ(result.unknown_runs, 4U);
  EXPECT_DOUBLE_EQ(result.run_seconds, 2);
}

TEST(Forecast, WorkersDivideAndPilotsAdd) {
  Campaign campaign = with_gaps(Structure::shuffled);
  campaign.execution.workers = 2;
  EXPECT_DOUBLE_EQ(expected(campaign, {1, 2, 3}).run_seconds, 6);
  EXPECT_DOUBLE_EQ(expected(campaign, {1, 2, 3}).gap_seconds, 70);
  campaign.execution.workers = 1;
  campaign.execution.pilot = true;
  const Forecast result = expected(campaign, {1, 2, 3});
  EXPECT_EQ(result.runs, 6U);
  EXPECT_DOUBLE_EQ(result.run_seconds, 18);
  EXPECT_DOUBLE_EQ(result.gap_seconds, 140 + 30);
}

}  // namespace
}  // namespace campaign
