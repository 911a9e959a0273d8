#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "controller/cli/as_docker.hpp"
#include "controller/cli/plan_report.hpp"
#include "controller/cli/record_text.hpp"
#include "controller/cli/status_report.hpp"
#include "controller/cli/summary.hpp"
#include "controller/cli/timings.hpp"
#include "controller/cli/why.hpp"
#include "tests/support/controller/cli_fixture.hpp"

namespace controller::cli {
namespace {

TEST(Forecast, LastLineSaysRunsTimeAndShareOfGaps) {
  EXPECT_EQ(forecast_text({.runs = 30, .run_seconds = 7500, .gap_seconds = 7500}),
            "30 runs, 4 h 10; gaps 2 h 05 (50 %)");
  EXPECT_EQ(forecast_text({.runs = 1, .run_seconds = 40}), "1 run, 40 s; no gaps");
  EXPECT_EQ(forecast_text({.runs = 3, .gap_seconds = 60, .unknown_runs = 3}),
            "3 runs of unknown length; gaps 60 s");
  EXPECT_EQ(forecast_text({.runs = 3, .run_seconds = 20, .unknown_runs = 1}),
            "3 runs, at least 20 s (1 of unknown length); no gaps");
  EXPECT_EQ(forecast_text({.runs = 1, .run_seconds = 40, .adaptive_gaps = true}),
            "1 run, 40 s; adaptive gaps besides");
  EXPECT_EQ(forecast_text({.runs = 2, .run_seconds = 30, .gap_seconds = 10, .adaptive_gaps = true}),
            "2 runs, 40 s; gaps 10 s (25 %) and adaptive ones besides");
}

TEST(Forecast, GpuHoursAreTheLastWordsWhereSomeAreKnown) {
  const auto words = [](double hours, bool more) {
    const std::string text = forecast_text(
        {.runs = 1, .run_seconds = 40, .gpu_seconds = hours * 3600, .more_gpu_seconds = more});
    return text.substr(text.rfind(';') + 2);
  };
  constexpr bool all = false, some = true;
  EXPECT_EQ(words(0, all), "no gaps");
  EXPECT_EQ(words(33, all), "33 GPU-hours");
  EXPECT_EQ(words(5.46, all), "5.5 GPU-hours");
  EXPECT_EQ(words(0.012, some), "at least 0.012 GPU-hours");
}

PlanReport sample_plan() {
  PlanReport report;
  report.preview.plan = testing::sample_view().manifest.plan;
  report.preview.campaign.id = "levels";
  report.preview.campaign.name = "Levels";
  report.preview.runs = {{"l1.c01", "l1", 1, "skip", "completed (attempt 1)"},
                         {"l9.c01", "l9", 1, "run", "not run yet"}};
  report.preview.forecast = {.runs = 1, .run_seconds = 4};
  return report;
}

TEST(Plan, TextIsATableThatEndsWithTheForecast) {
  EXPECT_EQ(plan_text(sample_plan(), {}),
            "#  run     cycle  do    why\n"
            "1  l1.c01      1  skip  completed (attempt 1)\n"
            "2  l9.c01      1  run   not run yet\n"
            "\n"
            "1 run, 1 skip\n"
            "1 run, 4 s; no gaps\n");
}

TEST(Plan, JsonHasRunsInOrderAndUnknownIsNull) {
  PlanReport report = sample_plan();
  report.preview.forecast.unknown_runs = 1;
  const auto json = nlohmann::json::parse(plan_json(report));
  EXPECT_EQ(json["schema_version"], 1);
  EXPECT_EQ(json["runs"][1]["run_id"], "l9.c01");
  EXPECT_EQ(json["runs"][1]["action"], "run");
  EXPECT_TRUE(json["forecast"]["run_ms"].is_null());
  EXPECT_EQ(json["forecast"]["gpu_ms"], 0);
  EXPECT_EQ(json["experiments"][1]["axes"]["level"], 9);
  EXPECT_FALSE(json["experiments"][1].contains("provenance"));
}

TEST(Plan, ExplainShowsWhereAValueComesFrom) {
  PlanReport report = sample_plan();
  report.explain = true;
  report.preview.plan.experiments[0].provenance = {{"level", "1", "axis", "c.yaml:2:8"}};
  EXPECT_NE(plan_text(report, {}).find("  level  1      axis  c.yaml:2:8\n"), std::string::npos);
}

campaign::Campaign docker_campaign() {
  campaign::Campaign campaign;
  campaign.id = "levels";
  campaign.runner.emplace();
  campaign.runner->image = "probe:1";
  campaign.runner->command = {"work", "--level", "{p.level}", "{results}/it's"};
  campaign.runner->memory = 1024;
  campaign.runner->network = "none";
  campaign.runner->env = {{"A", "${HOME} x"}, {"B", "{run_id}"}};
  return campaign;
}

TEST(AsDocker, GivesTheCommandThatAPersonWouldType) {
  const auto experiment = testing::sample_view().manifest.plan.experiments[1];
  EXPECT_EQ(as_docker(docker_campaign(), experiment),
            "# l9\n"
            "mkdir -p l9 && docker run --rm \\\n"
            "  --init \\\n"
            "  --user \"$(id -u):$(id -g)\" \\\n"
            "  --network none \\\n"
            "  --memory 1024 \\\n"
            "  -v \"$PWD\"/l9.yaml:/campaign/config.yaml:ro \\\n"
            "  -v \"$PWD\"/l9:/campaign/results \\\n"
            "  -e CAMPAIGN_CONFIG=/campaign/config.yaml \\\n"
            "  -e CAMPAIGN_RESULTS_DIR=/campaign/results \\\n"
            "  -e CAMPAIGN_METRICS_FILE=/campaign/results/metrics.jsonl \\\n"
            "  -e \"A=${HOME} x\" \\\n"
            "  -e B=l9.c01 \\\n"
            "  probe:1 work --level 9 '/campaign/results/it'\\''s'\n");
}

TEST(AsDocker, ALocalRunnerIsAPlainCommand) {
  campaign::Campaign campaign = docker_campaign();
  campaign.runner->type = campaign::RunnerType::local;
  campaign.runner->env.clear();
  campaign.runner->launch = {"nice"};
  campaign.runner->command = {"work", "{p.level}"};
  EXPECT_EQ(as_docker(campaign, testing::sample_view().manifest.plan.experiments[0]),
            "# l1 (local, no container)\nnice work 1\n");
}

TEST(AsDocker, APersistentRunnerIsAContainerThatStaysAndExecsInIt) {
  campaign::Campaign campaign = docker_campaign();
  campaign::Experiment experiment = testing::sample_view().manifest.plan.experiments[0];
  experiment.strategy = campaign::Strategy::persistent;
  campaign.runner->warmup_command = {"warm"};
  campaign.runner->command = {"work"};
  const std::string text = as_docker(campaign, experiment);
  EXPECT_NE(text.find("docker run -d --name l1 \\\n"), std::string::npos) << text;
  EXPECT_NE(text.find("  --entrypoint sleep \\\n  probe:1 infinity\n"), std::string::npos) << text;
  const auto warm = text.find("l1 warm\n"), work = text.find("l1 work\n");
  EXPECT_TRUE(warm < work && work != std::string::npos) << text;
  EXPECT_NE(text.find("docker rm -f l1\n"), std::string::npos) << text;
}

TEST(AsDocker, AServerComesFirstAndBothMeetInANetwork) {
  campaign::Campaign campaign = docker_campaign();
  campaign.runner->network.clear();
  campaign.runner->server =
      campaign::Server{.image = "srv:1", .command = {"serve"}, .ports = {"8080:80"}};
  const std::string text = as_docker(campaign, testing::sample_view().manifest.plan.experiments[0]);
  EXPECT_NE(text.find("docker network create l1\ndocker run -d --name l1-server"),
            std::string::npos)
      << text;
  for (const char* part : {"--network-alias server", "-p 8080:80", "srv:1 serve\n",
                           "docker run --rm", "docker rm -f l1-server\ndocker network rm l1\n"})
    EXPECT_NE(text.find(part), std::string::npos) << part << " in " << text;
}

TEST(AsDocker, GpusGoToTheProgramThatIsToUseThem) {
  using Kind = campaign::GpuWish::Kind;
  campaign::Campaign campaign = docker_campaign();
  const campaign::Experiment experiment = testing::sample_view().manifest.plan.experiments[0];
  const auto text_with = [&](const campaign::GpuWish& wish) {
    campaign.runner->gpus = wish;
    return as_docker(campaign, experiment);
  };
  const auto with = [&](const campaign::GpuWish& wish, const std::string& flag) {
    const std::string text = text_with(wish);
    EXPECT_NE(text.find("  " + flag + " \\\n"), std::string::npos) << text;
  };
  with({.kind = Kind::all}, "--gpus all");
  with({.kind = Kind::count, .count = 2}, "--gpus 2");
  with({.kind = Kind::ids, .ids = {"0", "GPU-8f1e"}}, "--gpus '\"device=0,GPU-8f1e\"'");
  EXPECT_EQ(text_with({.kind = Kind::none}).find("--gpus"), std::string::npos);
  campaign.runner->network.clear();
  campaign.runner->server = campaign::Server{.image = "srv:1", .command = {"serve"}};
  const std::string text = text_with({.kind = Kind::all});
  const auto flag = text.find("--gpus all");
  EXPECT_LT(text.find("docker run -d --name l1-server"), flag) << text;
  EXPECT_LT(flag, text.find("docker run --rm")) << text;
  EXPECT_EQ(text.find("--gpus", flag + 1), std::string::npos) << text;
  EXPECT_NE(text.find("--shm-size 8g"), std::string::npos) << text;
}

TEST(AsDocker, APersistentServiceIsBroughtUpAndExecdInto) {
  campaign::Campaign campaign = docker_campaign();
  campaign.container.compose_files = {"c.yaml"};
  campaign.runner->type = campaign::RunnerType::compose;
  campaign.runner->service = "w";
  campaign.runner->command = {"work"};
  campaign.runner->warmup_command = {"warm"};
  campaign.runner->env_file = {"vars.env"};
  campaign.runner->env = {{"B", "{run_id}"}};
  campaign::Experiment experiment = testing::sample_view().manifest.plan.experiments[0];
  experiment.strategy = campaign::Strategy::persistent;
  const std::string exec =
      "docker compose -f c.yaml exec -T \\\n"
      "  --user \"$(id -u):$(id -g)\" \\\n"
      "  -e CAMPAIGN_CONFIG=/campaign/config.yaml \\\n"
      "  -e CAMPAIGN_RESULTS_DIR=/campaign/results \\\n"
      "  -e CAMPAIGN_METRICS_FILE=/campaign/results/metrics.jsonl \\\n"
      "  -e B=l1.c01 \\\n"
      "  w ";
  EXPECT_EQ(as_docker(campaign, experiment),
            "# l1\n"
            "# w must stay up by its own command here; campaignctl holds it alive without it\n"
            "# with the variables of vars.env, which docker compose exec cannot read\n"
            "docker compose -f c.yaml up -d w\n"
            "docker compose -f c.yaml exec -T --user 0 w mkdir -p -m 777 /campaign/results\n"
            "docker compose -f c.yaml cp l1.yaml w:/campaign/config.yaml\n" +
                exec + "warm\n" + exec +
                "work\n"
                "docker compose -f c.yaml cp w:/campaign/results l1\n"
                "docker compose -f c.yaml down\n");
  campaign.runner->command.clear();
  EXPECT_NE(as_docker(campaign, experiment).find("# COMMAND is the service's own\n"),
            std::string::npos);
}

campaign::Summary sample_summary() {
  campaign::Summary summary;
  campaign::MetricSummary row;
  row.group = "l1";
  row.metric = "tps";
  row.unit = "tok/s";
  row.n = 2;
  row.mean = 12.5;
  row.sd = 0.5;
  row.window = "phase";
  summary.rows.push_back(row);
  row.metric = "measure_seconds";
  row.unit = "s";
  row.n = 1;
  row.sd.reset();
  row.invalid = 1;
  summary.rows.push_back(row);
  summary.runs = 4;
  summary.completed = 2;
  summary.failed = 1;
  summary.failed_by_class["payload"] = 1;
  return summary;
}

TEST(Summary, TableHasUnitWindowAndInvalidCounts) {
  EXPECT_EQ(summary_table(sample_summary(), {}),
            "experiment  metric           n   mean      sd  unit   window  invalid\n"
            "l1          tps              2  12.50  0.5000  tok/s  phase\n"
            "            measure_seconds  1  12.50       -  s      phase         1\n");
}

TEST(Summary, InvalidRunsAreCountedByTheirReasons) {
  campaign::Summary summary = sample_summary();
  summary.completed = 3;
  summary.invalid = 3;
  summary.invalid_by_reason = {{"contaminated: throttled (hw_thermal)", 2}};
  EXPECT_TRUE(summary_table(summary, {}).ends_with("\ninvalid: 2 throttled (hw_thermal)\n"));
  EXPECT_EQ(outcome_text(summary, {}, {}),
            "4 runs: 3 completed, 3 of them invalid (throttled), 1 failed (payload)\n");
  summary.invalid_by_reason["contaminated: throttled (hw_thermal, sw_thermal), shared device"] = 1;
  EXPECT_TRUE(summary_table(summary, {})
                  .ends_with("\ninvalid: 2 throttled (hw_thermal); "
                             "1 throttled (hw_thermal, sw_thermal), shared device\n"));
  EXPECT_EQ(outcome_text(summary, {}, {}),
            "4 runs: 3 completed, 3 of them invalid (2 throttled; 1 throttled, shared device), "
            "1 failed (payload)\n");
}

TEST(Summary, BriefTableNamesWhatWasSampledInALine) {
  campaign::Summary summary = sample_summary();
  for (const char* name : {"cpu_seconds", "memory_peak_bytes"}) {
    summary.rows.push_back(summary.rows.front());
    summary.rows.back().metric = name;
    summary.rows.back().sampled = true;
  }
  EXPECT_EQ(brief_table(summary, {}),
            summary_table(sample_summary(), {}) +
                "sampled besides (results show --metric NAME): cpu_seconds, memory_peak_bytes\n");
  EXPECT_EQ(brief_table(sample_summary(), {}), summary_table(sample_summary(), {}));
}

TEST(Summary, EnergyThatIsNotKnownWellIsSaidBelowTheTable) {
  campaign::Summary summary = sample_summary();
  summary.energy_open = {{"l1", 0.184}};
  EXPECT_EQ(brief_table(summary, {}), summary_table(sample_summary(), {})) << "no energy in it";
  summary.rows.push_back(summary.rows.front());
  summary.rows.back().metric = "gpu_energy_j";
  summary.rows.back().sampled = true;
  const std::string one =
      "\nthe GPU energy of l1 is known to 18 % only: its window is too short for 1 %\n";
  EXPECT_TRUE(brief_table(summary, {}).ends_with(": gpu_energy_j" + one));
  EXPECT_TRUE(summary_table(summary, {}).ends_with(one));
  summary.energy_open = {{"l1", 0.02}, {"l2", 0.025}, {"l3", 0.02}, {"l4", 0.02}};
  EXPECT_TRUE(summary_table(summary, {})
                  .ends_with("\nthe GPU energy of 4 experiments is known to 2.5 % at worst (l2): "
                             "their windows are too short for 1 %\n"));
}

TEST(Summary, FailedRunsAreNamedWithClassAndLog) {
  const std::vector<FailedRun> failed = {{.run = "l1.c02",
                                          .state = "failed",
                                          .cls = "payload",
                                          .message = "exit code 3",
                                          .log = "/r/stderr.log",
                                          .attempt = 1,
                                          .exit_code = 3}};
  EXPECT_EQ(outcome_text(sample_summary(), failed, {}),
            "4 runs: 2 completed, 1 failed (payload), 1 not run\n"
            "  l1.c02 failed (payload): exit code 3\n"
            "    /r/stderr.log\n");
}

TEST(Summary, CountsComeFromTheJournal) {
  campaign::Summary summary;
  count_runs(summary, testing::sample_view());
  EXPECT_EQ(summary.runs, 4U);
  EXPECT_EQ(summary.completed, 2U);
  EXPECT_EQ(summary.failed, 1U);
  EXPECT_EQ(summary.failed_by_class.at("payload"), 1U);
}

campaign::RunRecord timed(const std::string& experiment, int cycle, double seconds) {
  campaign::RunRecord record;
  record.experiment = experiment;
  record.cycle = cycle;
  record.state = "completed";
  record.started_utc = cycle;
  record.window.seconds = seconds;
  record.exit_code = 0;
  return record;
}

TEST(Timings, ScreenIsThatOfABenchmarkTool) {
  std::vector<campaign::RunRecord> records;
  for (int cycle = 1; cycle <= 3; ++cycle) {
    records.push_back(timed("l1", cycle, 0.1 + 0.01 * cycle));
    records.push_back(timed("l9", cycle, 2 * (0.1 + 0.01 * cycle)));
  }
  std::vector<Timing> timings = make_timings(testing::sample_view().manifest.plan, records);
  timings[0].command = "work 1";
  timings[1].command = "work 9";
  EXPECT_EQ(timings_text(timings, {}),
            "l1: work 1\n"
            "  Time (mean ± sd):   120.0 ms ± 10.0 ms\n"
            "  Range (min … max):  110.0 ms … 130.0 ms    3 runs\n"
            "\n"
            "l9: work 9\n"
            "  Time (mean ± sd):   240.0 ms ± 20.0 ms\n"
            "  Range (min … max):  220.0 ms … 260.0 ms    3 runs\n"
            "\n"
            "l1 ran\n"
            "  2.00 ± 0.24 times faster than l9\n");
}

TEST(Timings, WarnOfColdCachesOutliersAndShortRuns) {
  const auto warnings = [](const std::vector<double>& seconds) {
    std::vector<campaign::RunRecord> records;
    for (const double one : seconds)
      records.push_back(timed("l1", static_cast<int>(records.size()) + 1, one));
    return make_timings(testing::sample_view().manifest.plan, records).front().warnings;
  };
  EXPECT_TRUE(warnings({0.1, 0.101, 0.102, 0.103}).empty());
  EXPECT_NE(warnings({0.9, 0.101, 0.102, 0.103, 0.1}).at(0).find("first run"), std::string::npos);
  EXPECT_NE(warnings({0.1, 0.101, 0.9, 0.103, 0.1}).at(0).find("outliers"), std::string::npos);
  EXPECT_NE(warnings({0.001, 0.001, 0.001}).at(0).find("5 ms"), std::string::npos);
}

TEST(Timings, JsonOfNoCompletedRunIsNull) {
  campaign::RunRecord failed = timed("l1", 1, 1);
  failed.state = "failed";
  const auto json = nlohmann::json::parse(
      timings_json(make_timings(testing::sample_view().manifest.plan, {failed})));
  EXPECT_TRUE(json["results"][0]["mean"].is_null());
  EXPECT_EQ(json["results"][0]["failed"], 1);
  EXPECT_EQ(json["results"][0]["parameters"]["level"], "1");
}

TEST(Why, OfACompletedRunHasWhatItsRecordSaysAgainstIt) {
  const testing::Folder folder;
  SessionView view = testing::sample_view();
  view.results.folder = folder.path();
  campaign::RunRecord record = timed("l9", 1, 2);
  record.run = "l9.c01";
  record.notes = {"the SM clock changed by 7 %"};
  const auto write = [&] {
    folder.write("raw/l9.c01/run.json", campaign::write_run_record(record));
    return make_why(view, "l9.c01");
  };
  EXPECT_EQ(write().reason, "its results were verified and accepted");
  EXPECT_TRUE(nlohmann::json::parse(why_json(write()))["valid"]);
  record.valid = false;
  record.invalid_reason = "contaminated: throttled (hw_thermal)";
  view.fold.runs["l9.c01"].message = record.invalid_reason;
  EXPECT_EQ(why_text(write(), {}),
            "l9.c01  completed, attempt 1: its results were verified and accepted, but its figures "
            "do not count: contaminated: throttled (hw_thermal)\n"
            "  note: the SM clock changed by 7 %\n");
  const auto json = nlohmann::json::parse(why_json(write()));
  EXPECT_FALSE(json["valid"]);
  EXPECT_EQ(json["invalid_reason"], record.invalid_reason);
  EXPECT_EQ(json["notes"], nlohmann::json(record.notes));
  EXPECT_TRUE(nlohmann::json::parse(why_json(make_why(view, "l1.c01")))["valid"].is_null());
}

TEST(RecordText, LeavesTheEnvelopeOut) {
  campaign::Record record;
  record.t = "2026-11-21T00:43:00.000000Z";
  record.event = campaign::event::Skipped{.run = "l1.c02", .reason = "repeat_failure"};
  const RecordText text = record_text(record);
  EXPECT_EQ(text.run, "l1.c02");
  EXPECT_EQ(text.event, "skipped");
  EXPECT_EQ(text.members, "reason=\"repeat_failure\"");
}

}  // namespace
}  // namespace controller::cli
