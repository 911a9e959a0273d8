#include "campaign/results/summary.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

namespace campaign {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;

class Summaries : public ::testing::Test {
 protected:
  Summaries() {
    manifest.campaign_id = "demo";
    manifest.session = "S1";
    add_experiment("b4", "vllm", 4);
    add_experiment("b8", "llama", 8);
  }

  void add_experiment(const std::string& name, const std::string& backend, int batch) {
    Experiment experiment;
    experiment.name = name;
    experiment.backend = backend;
    experiment.axes = Value::map({{"batch", Value::integer(batch)}});
    experiment.config = Value::map({{"batch", Value::integer(batch)},
                                    {"model", Value::map({{"name", Value::string("gpt2")}})}});
    experiment.provenance = {{"batch", std::to_string(batch), "cli", "--set batch"}};
    manifest.plan.experiments.push_back(experiment);
    for (int cycle = 1; cycle <= 4; ++cycle)
      manifest.plan.runs.push_back(
          {static_cast<std::uint32_t>(manifest.plan.experiments.size() - 1), cycle, 0});
  }

  RunRecord& add(const std::string& experiment, int cycle, double tps) {
    RunRecord record;
    record.experiment = experiment;
    record.cycle = cycle;
    record.run = experiment + ".c0" + std::to_string(cycle);
    record.state = "completed";
    record.session = "S1";
    record.started_utc = 1795221780;
    record.finished_utc = 1795221790;
    record.host = "node7";
    record.position = cycle;
    record.window = {MeasureWindow::Source::phase, 2, 0, 0};
    record.metrics = {{"measure_seconds", 2, "s", Direction::lower, false},
                      {"tps", tps, "tok/s", Direction::higher, true}};
    records.push_back(record);
    return records.back();
  }

  Summary summary(std::vector<std::string> group_by = {}) {
    return summarise({.manifest = &manifest, .records = records, .group_by = std::move(group_by)});
  }

  Manifest manifest;
  std::vector<RunRecord> records;
};

TEST_F(Summaries, StandInPlanOrderWithPrimaryMetricsFirst) {
  add("b8", 1, 20);
  add("b4", 1, 10);
  const auto result = summary();
  ASSERT_EQ(result.rows.size(), 4U);
  EXPECT_EQ(result.rows[0].group, "b4");
  EXPECT_EQ(result.rows[0].metric, "tps");
  EXPECT_EQ(result.rows[1].metric, "measure_seconds");
  EXPECT_EQ(result.rows[2].group, "b8");
  EXPECT_EQ(result.rows[0].unit, "tok/s");
  EXPECT_EQ(result.rows[0].window, "phase");
}

TEST_F(Summaries, RememberWhatWasSampled) {
  add("b4", 1, 10).metrics.front().sampled = true;
  const std::string written = write_summary_json(summary());
  const auto back = read_summary_json(written);
  ASSERT_TRUE(back);
  EXPECT_FALSE(back->rows[0].sampled);
  EXPECT_TRUE(back->rows[1].sampled);
  EXPECT_EQ(write_summary_json(*back), written);
}

TEST_F(Summaries, HaveAnIntervalFromThreeValuesOn) {
  add("b4", 1, 1);
  add("b4", 2, 2);
  EXPECT_FALSE(summary().rows[0].ci_low);
  EXPECT_TRUE(summary().rows[0].sd);
  add("b4", 3, 3);
  const auto row = summary().rows[0];
  EXPECT_EQ(row.n, 3U);
  EXPECT_NEAR(*row.ci_low, 2 - 4.302652729911275 / std::sqrt(3.0), 1e-9);
  EXPECT_EQ(row.min, 1);
  EXPECT_EQ(row.max, 3);
  EXPECT_EQ(row.median, 2);
}

TEST_F(Summaries, LeaveInvalidRunsOutOfTheHeadlineAndSayWhy) {
  add("b4", 1, 10);
  add("b4", 2, 20).valid = false;
  records.back().invalid_reason = "throttled";
  add("b4", 3, 14);
  const auto row = summary().rows[0];
  EXPECT_EQ(row.n, 2U);
  EXPECT_EQ(row.mean, 12);
  EXPECT_EQ(row.invalid, 1U);
  EXPECT_THAT(row.invalid_reasons, ElementsAre("throttled"));
  EXPECT_EQ(row.n_all, 3U);
  EXPECT_NEAR(*row.mean_all, 44.0 / 3, 1e-12);
}

TEST_F(Summaries, CountRepeatedRunsAsValidAndMarkThem) {
  add("b4", 1, 10);
  add("b4", 2, 20).repeated = true;
  const auto row = summary().rows[0];
  EXPECT_EQ(row.n, 2U);
  EXPECT_EQ(row.repeated, 1U);
}

TEST_F(Summaries, SayWhenWindowsAreMixed) {
  add("b4", 1, 10);
  add("b4", 2, 10).window.source = MeasureWindow::Source::process;
  EXPECT_EQ(summary().rows[0].window, "mixed");
}

TEST_F(Summaries, FlagOutliersAndKeepThem) {
  for (const double tps : {10.0, 11.0, 10.0, 12.0, 11.0, 30.0})
    add("b4", static_cast<int>(records.size()) + 1, tps);
  const auto row = summary().rows[0];
  EXPECT_EQ(row.outliers, 1U);
  EXPECT_EQ(row.n, 6U);
  EXPECT_EQ(row.max, 30);
}

TEST_F(Summaries, CountRunsByTheirDecidingAttempt) {
  add("b4", 1, 10).state = "failed";
  records.back().cls = FailureClass::oom;
  add("b4", 1, 11).attempt = 2;
  add("b4", 2, 0).state = "failed";
  records.back().cls = FailureClass::timeout;
  records.back().metrics.clear();
  add("b8", 1, 0).state = "skipped";
  const auto result = summary();
  EXPECT_EQ(result.runs, 8U);
  EXPECT_EQ(result.completed, 1U);
  EXPECT_EQ(result.failed, 1U);
  EXPECT_EQ(result.skipped, 1U);
  EXPECT_EQ(result.failed_by_class, (std::map<std::string, std::size_t>{{"timeout", 1}}));
  EXPECT_EQ(result.rows[0].mean, 11);
}

TEST_F(Summaries, GroupExperimentsByCycle) {
  for (int cycle = 1; cycle <= 3; ++cycle) {
    add("b4", cycle, 10 * cycle);
    add("b8", cycle, 30 * cycle);
  }
  const auto all = summary({"model.name"});
  ASSERT_EQ(all.rows.size(), 2U);
  EXPECT_EQ(all.rows[0].group, "gpt2");
  EXPECT_TRUE(all.rows[0].axes.is_null());
  EXPECT_EQ(all.rows[0].n, 3U);
  EXPECT_EQ(all.rows[0].mean, 40);
  const auto two = summary({"backend", "nothing"});
  EXPECT_EQ(two.rows[0].group, "vllm, unknown");
  EXPECT_EQ(two.rows[2].group, "llama, unknown");
  EXPECT_EQ(summary({"config_name"}).rows[0].group, "b4");
}

TEST_F(Summaries, CountInvalidRunsByTheirReasons) {
  add("b4", 1, 10).valid = false;
  records.back().invalid_reason = "contaminated: shared device";
  add("b4", 2, 10);
  add("b8", 1, 10).valid = false;
  records.back().invalid_reason = "contaminated: shared device";
  add("b8", 2, 10).state = "failed";
  records.back().valid = false;
  const Summary made = summary();
  EXPECT_EQ(made.completed, 3U);
  EXPECT_EQ(made.invalid, 2U);
  const std::map<std::string, std::size_t> reasons = {{"contaminated: shared device", 2}};
  EXPECT_EQ(made.invalid_by_reason, reasons);
  const auto back = read_summary_json(write_summary_json(made));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->invalid, 2U);
  EXPECT_EQ(back->invalid_by_reason, reasons);
}

TEST_F(Summaries, OfAnEarlyVersionSayNothingOfInvalidRuns) {
  auto early = json::parse(write_summary_json(summary()));
  early.erase("invalid");
  early.erase("invalid_by_reason");
  const auto back = read_summary_json(early.dump());
  ASSERT_TRUE(back);
  EXPECT_EQ(back->invalid, 0U);
}

TEST_F(Summaries, SayHowMuchOfTheEnergyIsOpen) {
  const auto with = [&](const std::string& experiment, int cycle, double uncertainty) -> auto& {
    RunRecord& record = add(experiment, cycle, 10);
    record.energy.emplace().gpus = {{.device = "GPU-1",
                                     .method = "counter",
                                     .counter_j = 100,
                                     .power_j = {},
                                     .uncertainty_j = uncertainty}};
    return record;
  };
  with("b4", 1, 12);
  with("b4", 2, 18);
  with("b4", 3, 50).valid = false;
  with("b8", 1, 0.5);
  const std::map<std::string, double> open = {{"b4", 0.18}};
  EXPECT_EQ(summary().energy_open, open);
  const auto back = read_summary_json(write_summary_json(summary()));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->energy_open, open);
}

TEST_F(Summaries, AreJsonWithNullsForWhatIsUnknown) {
  add("b4", 1, 10);
  const auto object = json::parse(write_summary_json(summary()));
  EXPECT_EQ(object["schema_version"], 1);
  EXPECT_EQ(object["campaign_id"], "demo");
  const auto& row = object["rows"][0];
  EXPECT_EQ(row["axes"], (json{{"batch", 4}}));
  EXPECT_EQ(row["better"], "higher");
  EXPECT_EQ(row["mean"], 10.0);
  EXPECT_TRUE(row["sd"].is_null());
  EXPECT_TRUE(row["ci_low"].is_null());
}

TEST_F(Summaries, AreCsvWithAColumnPerAxis) {
  add("b4", 1, 10);
  records.back().metrics.erase(records.back().metrics.begin());
  EXPECT_EQ(write_summary_csv(summary()),
            "group,batch,metric,unit,better,primary,n,invalid,repeated,mean,sd,median,min,max,"
            "ci_low,ci_high,outliers,n_all,mean_all,window,invalid_reasons\n"
            "b4,4,tps,tok/s,higher,true,1,0,0,10,NA,10,10,10,NA,NA,0,1,10,phase,NA\n");
}

TEST_F(Summaries, AreTidyWithExactColumns) {
  add("b4", 1, 0.1).valid = false;
  records.back().invalid_reason = "hot, \"very\"\nhot";
  records.back().metrics.erase(records.back().metrics.begin());
  EXPECT_EQ(
      write_tidy_csv(manifest, records),
      "session,experiment,batch,cycle,position,attempt,resumed,start_utc,start_temp_c,node,"
      "gpu_uuid,strategy,container_run,window,metric,value,unit,valid,reason\n"
      "S1,b4,4,1,1,1,false,2026-11-21T00:43:00.000Z,NA,node7,NA,NA,NA,phase,tps,0.1,tok/s,false,"
      "\"hot, \"\"very\"\"\nhot\"\n");
}

TEST_F(Summaries, TidyRowsHaveTheWarmestTemperatureAtTheStart) {
  add("b4", 1, 0.1).start_temperatures_c = {{"GPU-1", 44}, {"GPU-2", 45.5}, {"GPU-3", 41}};
  EXPECT_NE(write_tidy_csv(manifest, records).find(",2026-11-21T00:43:00.000Z,45.5,node7,"),
            std::string::npos);
}

TEST_F(Summaries, TidyRowsSayWhichRunOfItsContainerItWas) {
  add("b4", 1, 0.1).strategy = "persistent";
  records.back().container_run = 3;
  add("b4", 2, 0.1).strategy = "ephemeral";
  const std::string csv = write_tidy_csv(manifest, records);
  EXPECT_NE(csv.find(",node7,NA,persistent,3,phase,tps,"), std::string::npos) << csv;
  EXPECT_NE(csv.find(",node7,NA,ephemeral,NA,phase,tps,"), std::string::npos) << csv;
}

TEST_F(Summaries, GiveAnAxisNamedLikeAColumnAnotherName) {
  manifest.plan.experiments[0].axes = Value::map({{"cycle", Value::integer(9)}});
  add("b4", 1, 10);
  const auto csv = write_tidy_csv(manifest, records);
  EXPECT_EQ(
      csv.substr(0, csv.find('\n')),
      "session,experiment,axis.cycle,batch,cycle,position,attempt,resumed,start_utc,"
      "start_temp_c,node,gpu_uuid,strategy,container_run,window,metric,value,unit,valid,reason");
  EXPECT_NE(csv.find("S1,b4,9,NA,1,"), std::string::npos);
}

TEST_F(Summaries, ShowFailedRunsAsInvalidInTidyRows) {
  add("b4", 1, 10).state = "failed";
  records.back().cls = FailureClass::timeout;
  records.back().message = "after 2 h";
  EXPECT_NE(write_tidy_csv(manifest, records).find("tok/s,false,failed (timeout): after 2 h\n"),
            std::string::npos);
}

TEST_F(Summaries, OfOneExperimentAreAggregated) {
  add("b4", 2, 20);
  add("b4", 1, 10);
  records[0].metrics.push_back({"tokens_per_second", 100, "tok/s", Direction::higher, false});
  const auto object = json::parse(write_aggregated_json(manifest, records));
  EXPECT_EQ(object["experiment_id"], "b4");
  EXPECT_EQ(object["backend"], "vllm");
  EXPECT_EQ(object["aggregation"]["num_cycles"], 2);
  EXPECT_EQ(object["aggregation"]["warnings"].size(), 1U);
  EXPECT_EQ(object["total_inference_time_sec"], 4.0);
  EXPECT_EQ(object["avg_tokens_per_second"], 100.0);
  EXPECT_EQ(object["effective_config"]["model"]["name"], "gpt2");
  EXPECT_EQ(object["cli_overrides"]["batch"], "4");
  EXPECT_EQ(object["start_time"], "2026-11-21T00:43:00.000Z");
  ASSERT_EQ(object["runs"].size(), 2U);
  EXPECT_EQ(object["runs"][0]["cycle"], 1);
  EXPECT_EQ(object["runs"][0]["metrics"]["tps"]["value"], 10.0);
}

TEST_F(Summaries, OfNothingAreEmptyAndWhole) {
  EXPECT_TRUE(summary().rows.empty());
  EXPECT_TRUE(json::parse(write_aggregated_json(manifest, {}))["experiment_id"].is_null());
}

}  // namespace
}  // namespace campaign
