#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "controller/cli/status_report.hpp"
#include "tests/support/controller/cli_fixture.hpp"

namespace controller::cli {
namespace {

campaign::Heartbeat beat(double utc) {
  campaign::Heartbeat made;
  made.writer = "w1";
  made.host = "here";
  made.pid = 4711;
  made.utc = utc;
  made.stage = "gap";
  made.workers = {{.id = 0,
                   .run = "l9.c02",
                   .stage = "measure",
                   .started_utc = 1020,
                   .initialization_ms = 1200}};
  return made;
}

StatusReport report(const SessionView& view, bool held, double utc = 1022) {
  return make_status({.view = &view,
                      .beats = {beat(1022)},
                      .held = held,
                      .host = "here",
                      .utc = utc,
                      .with_runs = true});
}

constexpr char golden_text[] =
    "Levels  running  22.0s  cycle 2 of 2\n"
    "███████████████░░░░░ 75% (3/4 runs, 1 failed)   about 2s left\n"
    "cycle  state    time   runs  avg   p50   p95\n"
    "1      done     9.0s   2/2   3.0s  3.0s  3.9s\n"
    "2      running  11.0s  0/2   -     -     -\n"
    "worker  init  runs  failed  avg   uptime  now\n"
    "0       1.2s  2     1       2.7s  21.0s   l9.c02 measure\n";

TEST(Status, TextIsAsWritten) {
  const SessionView view = testing::sample_view();
  EXPECT_EQ(status_text(report(view, true), {}, {}), golden_text);
}

TEST(Status, JsonHasTheNamesAndMilliseconds) {
  const SessionView view = testing::sample_view();
  const auto json = nlohmann::json::parse(status_json(report(view, true), {.runs = true}));
  EXPECT_EQ(json["schema_version"], 1);
  EXPECT_EQ(json["campaign_id"], "levels");
  EXPECT_EQ(json["computed_at"], "1970-01-01T00:17:02.000Z");
  EXPECT_EQ(json["total_duration_ms"], 22000);
  EXPECT_EQ(json["runs_total"], 4);
  EXPECT_EQ(json["runs_completed"], 2);
  EXPECT_EQ(json["runs_failed"], 1);
  EXPECT_EQ(json["runs_running"], 1);
  EXPECT_EQ(json["runs_pending"], 0);
  EXPECT_EQ(json["runs_skipped"], 0);
  EXPECT_EQ(json["workers_used"], 1);
  EXPECT_EQ(json["cycles_completed"], 1);
  EXPECT_TRUE(json["wait"].is_null());
  EXPECT_EQ(json["cycles"][0],
            nlohmann::json::parse(R"({"cycle": 1, "state": "done", "duration_ms": 9000,
      "run_count": 2, "completed_count": 2, "failed_count": 0, "avg_run_duration_ms": 3000,
      "p50_duration_ms": 3000, "p95_duration_ms": 3900})"));
  EXPECT_EQ(json["workers"][0], nlohmann::json::parse(R"({"worker_id": 0, "initialization_ms": 1200,
      "uptime_ms": 21000, "runs_completed": 2, "runs_failed": 1, "total_run_duration_ms": 8000,
      "avg_run_duration_ms": 2667, "gpus": []})"));
  EXPECT_EQ(json["runs"][2],
            nlohmann::json::parse(R"({"run_id": "l1.c02", "experiment": "l1", "cycle": 2,
      "state": "failed", "attempt": 1, "class": "payload", "invalid_reason": null, "queue_wait_ms": 11000,
      "execution_duration_ms": 2000, "verification_duration_ms": null, "total_duration_ms": 3000})"));
}

TEST(Status, AWorkerHasTheGpusOfTheRunItIsAt) {
  SessionView view = testing::sample_view();
  view.fold.runs["l9.c01"].gpus = "GPU-11111111-2222";
  view.fold.runs["l9.c02"].gpus = "GPU-8f1e0000-2222,GPU-8f1f0000-2222";
  const StatusReport made = report(view, true);
  EXPECT_EQ(nlohmann::json::parse(status_json(made, {}))["workers"][0]["gpus"],
            nlohmann::json::parse(R"(["GPU-8f1e0000-2222", "GPU-8f1f0000-2222"])"));
  const std::string text = status_text(made, {}, {});
  EXPECT_NE(
      text.find("uptime  gpus               now\n"
                "0       1.2s  2     1       2.7s  21.0s   GPU-8f1e,GPU-8f1f  l9.c02 measure\n"),
      std::string::npos)
      << text;
}

TEST(Status, GpusOfOneBeginningAreShownUntilTheyDiffer) {
  SessionView view = testing::sample_view();
  view.fold.runs["l9.c02"].gpus = "GPU-8f1e0000,GPU-8f1e0010,GPU-8f1e0011";
  const std::string text = status_text(report(view, true), {}, {});
  EXPECT_NE(text.find("  GPU-8f1e0000,GPU-8f1e0010,GPU-8f1e0011  "), std::string::npos) << text;
}

TEST(Status, AWorkerWithoutARunHasTheGpusOfItsLast) {
  SessionView view = testing::sample_view();
  view.fold.runs.erase("l9.c02");
  view.fold.runs["l9.c01"].gpus = "GPU-11111111";
  view.fold.runs["l1.c02"].gpus = "GPU-22222222";
  EXPECT_EQ(report(view, true).workers.at(0).gpus, std::vector<std::string>{"GPU-22222222"});
  campaign::RunState pilot;
  pilot.claimed_utc = 1018;
  pilot.gpus = "GPU-33333333";
  view.fold.pilots["l9.p"] = pilot;
  EXPECT_EQ(report(view, true).workers.at(0).gpus, std::vector<std::string>{"GPU-33333333"});
}

TEST(Status, ARunWhoseFiguresDoNotCountIsListedAsInvalid) {
  SessionView view = testing::sample_view();
  view.fold.runs["l9.c01"].message = "contaminated: throttled (hw_thermal)";
  const StatusReport made = make_status({.view = &view,
                                         .beats = {beat(1022)},
                                         .held = true,
                                         .host = "here",
                                         .utc = 1022,
                                         .with_runs = true});
  const std::string text = status_text(made, {.runs = true}, {});
  EXPECT_NE(text.find("l9.c01  completed, invalid "), std::string::npos) << text;
  const auto runs = nlohmann::json::parse(status_json(made, {.runs = true}))["runs"];
  EXPECT_TRUE(runs[0]["invalid_reason"].is_null());
  EXPECT_EQ(runs[1]["invalid_reason"], "contaminated: throttled (hw_thermal)");
}

TEST(Status, PercentilesOfNothingAreNull) {
  const SessionView view = testing::sample_view();
  const auto json = nlohmann::json::parse(status_json(report(view, true), {}));
  EXPECT_TRUE(json["cycles"][1]["p50_duration_ms"].is_null());
  EXPECT_TRUE(json["cycles"][1]["avg_run_duration_ms"].is_null());
  EXPECT_FALSE(json.contains("runs"));
}

TEST(Status, WaitIsToldWhileItRuns) {
  const SessionView view = testing::sample_view();
  campaign::Heartbeat waiting = beat(1022);
  waiting.wait_reason = "gap, about 40 s";
  waiting.wait_until_utc = 1062;
  const StatusReport made =
      make_status({.view = &view, .beats = {waiting}, .held = true, .host = "here", .utc = 1022});
  EXPECT_NE(status_text(made, {}, {}).find("cycle 2 of 2   waits: gap, about 40 s\n"),
            std::string::npos);
  const auto json = nlohmann::json::parse(status_json(made, {}));
  EXPECT_EQ(json["wait"]["until"], "1970-01-01T00:17:42.000Z");
  EXPECT_EQ(json["wait"]["reason"], "gap, about 40 s");
}

TEST(Status, AWorkerThatHasNoRunYetShowsWhatItWaitsFor) {
  const SessionView view = testing::sample_view();
  campaign::Heartbeat waiting = beat(1022);
  waiting.workers[0].run.clear();
  waiting.workers[0].stage = "claim";
  waiting.workers[0].wait = "GPUs: campaign first has 0";
  const StatusReport made =
      make_status({.view = &view, .beats = {waiting}, .held = true, .host = "here", .utc = 1022});
  const std::string text = status_text(made, {}, {});
  EXPECT_NE(text.find("21.0s   waits: GPUs: campaign first has 0\n"), std::string::npos) << text;
}

TEST(Status, WhatLivesLongerThanARunIsListedWhileTheCampaignRuns) {
  const SessionView view = testing::sample_view();
  campaign::Heartbeat serving = beat(1022);
  serving.services = {{"cctl-1-zstd-w0", "zstd", 0, "running", 1010, 2},
                      {"engine events", "events", std::nullopt, "waiting", std::nullopt, 1}};
  Observation seen{.view = &view, .beats = {serving}, .held = true, .host = "here", .utc = 1022};
  const StatusReport running = make_status(seen);
  const std::string text = status_text(running, {}, {});
  EXPECT_TRUE(
      text.ends_with("service  worker  state    for    restarts  name\n"
                     "zstd     0       running  12.0s  2         cctl-1-zstd-w0\n"
                     "events   -       waiting  -      1         engine events\n"))
      << text;
  const auto json = nlohmann::json::parse(status_json(running, {}));
  EXPECT_EQ(json["services"], nlohmann::json::parse(R"([
      {"name": "cctl-1-zstd-w0", "service": "zstd", "worker": 0, "state": "running",
       "since": "1970-01-01T00:16:50.000Z", "restarts": 2},
      {"name": "engine events", "service": "events", "worker": null, "state": "waiting",
       "since": null, "restarts": 1}])"));
  seen.held = false;
  const StatusReport ended = make_status(seen);
  EXPECT_EQ(status_text(ended, {}, {}).find("zstd"), std::string::npos);
  EXPECT_TRUE(nlohmann::json::parse(status_json(ended, {}))["services"].empty());
}

TEST(Status, StateFollowsLockJournalAndHeartbeat) {
  SessionView view = testing::sample_view();
  EXPECT_EQ(report(view, true).state, "running");
  EXPECT_EQ(report(view, true, 1032).state, "running");
  EXPECT_EQ(report(view, true, 1033).state, "gone");
  EXPECT_EQ(report(view, false).state, "interrupted");
  view.fold.drained = "stop";
  EXPECT_EQ(report(view, false).state, "drained");
  view.fold.drained = "signal TERM";
  EXPECT_EQ(report(view, false).state, "stopped");
  view.fold.paused = "disk";
  EXPECT_EQ(report(view, false).state, "paused");
  view.fold.finished = 1;
  EXPECT_EQ(report(view, false).state, "finished");
  view.fold.abandoned = true;
  EXPECT_EQ(report(view, false).state, "abandoned");
}

TEST(Status, ACycleIsNotRunningWithoutAController) {
  const SessionView view = testing::sample_view();
  EXPECT_EQ(report(view, true).cycles_list.at(1).state, "running");
  EXPECT_EQ(report(view, true, 1033).cycles_list.at(1).state, "running") << "it is only gone";
  EXPECT_EQ(report(view, false).cycles_list.at(1).state, "interrupted");
}

TEST(Status, AControllerOnAnotherHostIsJudgedByItsHeartbeat) {
  const SessionView view = testing::sample_view();
  const auto state_at = [&](double utc) {
    return make_status(
               {.view = &view, .beats = {beat(1022)}, .held = false, .host = "there", .utc = utc})
        .state;
  };
  EXPECT_EQ(state_at(1025), "running");
  EXPECT_EQ(state_at(1040), "interrupted");
}

TEST(Status, SlowHeartbeatsAreGivenThreeIntervals) {
  const SessionView view = testing::sample_view();
  campaign::Heartbeat slow = beat(1000);
  slow.interval = 15;
  const auto state_at = [&](double utc) {
    return make_status({.view = &view, .beats = {slow}, .held = true, .host = "here", .utc = utc})
        .state;
  };
  EXPECT_EQ(state_at(1045), "running");
  EXPECT_EQ(state_at(1046), "gone");
}

TEST(Status, OfManyCyclesTheLatestTwentyAreShown) {
  StatusReport made;
  for (int cycle = 1; cycle <= 25; ++cycle) {
    CycleFigures figures;
    figures.cycle = cycle;
    figures.state = "done";
    made.cycles_list.push_back(figures);
  }
  made.cycle = 25;
  const std::string text = status_text(made, {}, {});
  EXPECT_EQ(text.find("\n5  "), std::string::npos) << text;
  EXPECT_NE(text.find("\n6  "), std::string::npos);
  EXPECT_NE(text.find("and 5 earlier cycles\n"), std::string::npos);
}

TEST(Status, SeveralCampaignsAreOneObject) {
  const SessionView view = testing::sample_view();
  const StatusReport made = report(view, true);
  const auto json = nlohmann::json::parse(status_json(std::vector<StatusReport>{made, made}, {}));
  EXPECT_EQ(json["schema_version"], 1);
  EXPECT_EQ(json["campaigns"].size(), 2U);
}

}  // namespace
}  // namespace controller::cli
