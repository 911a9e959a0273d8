#include <gtest/gtest.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "campaign/config/loader.hpp"
#include "controller/cli/commands.hpp"
#include "controller/cli/parse.hpp"
#include "controller/cli/run_document.hpp"
#include "controller/errors.hpp"
#include "tests/support/controller/cli_fixture.hpp"

namespace controller {
namespace {

using testing::campaignctl;
using testing::Folder;
using testing::Outcome;

constexpr char quick[] =
    "name: Quick\n"
    "axes: {level: [1, 9]}\n"
    "runner: {type: local, command: [sh, -c, \"echo hello {p.level}; test {p.level} = 1\"]}\n"
    "execution: {cycles: 1, structure: interleaved}\n";

std::string usage_error(const std::vector<std::string>& words) {
  try {
    cli::parse(words);
  } catch (const CommandError& error) {
    EXPECT_EQ(error.code, ExitCode::usage);
    return error.what();
  }
  return "no error";
}

TEST(Parse, EveryCommandTeachesByExample) {
  for (const cli::Command& command : cli::commands()) {
    std::vector<std::string> words = text::split(command.name, ' ');
    words.emplace_back("--help");
    const cli::Parsed parsed = cli::parse(words);
    EXPECT_EQ(parsed.command, nullptr);
    EXPECT_NE(parsed.answer.find("Examples:\n"), std::string::npos) << command.name;
    EXPECT_NE(parsed.answer.find("campaignctl " + std::string(command.name)), std::string::npos);
  }
}

TEST(Parse, GlobalOptionsMayFollowTheCommand) {
  const cli::Parsed parsed =
      cli::parse({"journal", "cat", "x", "--json", "-q", "--color", "never"});
  EXPECT_TRUE(parsed.arguments.global.json);
  EXPECT_EQ(parsed.arguments.global.verbosity, -1);
  EXPECT_EQ(parsed.arguments.global.color, cli::Color::never);
  EXPECT_EQ(parsed.arguments.journal.campaign, "x");
  EXPECT_TRUE(cli::parse({"--json", "status"}).arguments.global.json);
}

TEST(Parse, OptionsOfUpBecomeSettingsInTheirOrder) {
  const cli::Parsed parsed = cli::parse(
      {"up", "c.yaml", "--cycles", "3", "--set", "vars.a=1", "--no-gaps", "--set", "vars.b=2"});
  EXPECT_EQ(parsed.arguments.up.source.file, "c.yaml");
  const auto& sets = parsed.arguments.up.source.sets;
  for (const char* set : {"execution.cycles=3", "vars.a=1", "vars.b=2",
                          "execution.config_gap_seconds=0", "execution.cycle_gap_seconds=null"})
    EXPECT_EQ(std::count(sets.begin(), sets.end(), set), 1) << set;
}

TEST(Parse, GpusAreTheCampaignsOrOfAdHocRunsTheRunners) {
  const cli::Parsed up = cli::parse({"up", "c.yaml", "--gpus", "ids:0,GPU-8f1e"});
  EXPECT_EQ(up.arguments.up.source.sets, std::vector<std::string>{"gpus=ids:0,GPU-8f1e"});
  const cli::Parsed plan = cli::parse({"plan", "c.yaml", "--gpus", "none"});
  EXPECT_EQ(plan.arguments.plan.source.sets, std::vector<std::string>{"gpus=none"});
  EXPECT_EQ(cli::parse({"validate", "c.yaml", "--gpus", "all"}).arguments.validate.sets.size(), 1U);
  EXPECT_EQ(cli::parse({"run", "--gpus", "2", "--", "a"}).arguments.run.gpus, "2");
}

TEST(RunDocument, GpusAreTheRunners) {
  const auto wish = [](const std::string& gpus) {
    const campaign::Value document =
        cli::run_document({.gpus = gpus, .command = {"true"}}, {.cwd = "/", .folder = "/tmp/x"});
    return campaign::decode_campaign(document, "/x.yaml").runner->gpus;
  };
  EXPECT_EQ(wish("2")->count, 2);
  EXPECT_EQ(wish("none")->kind, campaign::GpuWish::Kind::none);
  EXPECT_EQ(wish("ids:0,GPU-8f1e")->ids, (std::vector<std::string>{"0", "GPU-8f1e"}));
  EXPECT_FALSE(wish(""));
  EXPECT_THROW(wish("auto"), campaign::ConfigError);
}

TEST(Parse, WatchTakesSecondsOrTheCampaign) {
  EXPECT_EQ(cli::parse({"status", "--watch"}).arguments.status.watch, 2);
  EXPECT_EQ(cli::parse({"status", "x", "--watch", "0.5"}).arguments.status.watch, 0.5);
  const cli::Parsed parsed = cli::parse({"status", "--watch", "x"});
  EXPECT_EQ(parsed.arguments.status.watch, 2);
  EXPECT_EQ(parsed.arguments.status.campaign, "x");
}

TEST(Parse, TheCommandOfRunIsTakenAsItStands) {
  const cli::Parsed parsed = cli::parse({"run", "--cycles", "2", "--", "a", "--json", "--", "-q"});
  EXPECT_EQ(parsed.arguments.run.command, (std::vector<std::string>{"a", "--json", "--", "-q"}));
  EXPECT_FALSE(parsed.arguments.global.json);
}

TEST(Parse, DownTakesVolumesAlong) {
  const cli::Parsed parsed = cli::parse({"down", "x", "--volumes"});
  ASSERT_NE(parsed.command, nullptr) << parsed.answer;
  EXPECT_EQ(parsed.arguments.down.campaign, "x");
}

TEST(Parse, WhatComesLaterIsRefusedByName) {
  for (const char* option : {"--metrics-file", "--allow-outside"})
    EXPECT_EQ(usage_error({"up", "c.yaml", option, "1"}),
              std::string(option) + " is not supported yet");
  EXPECT_NE(usage_error({"run", "one.yaml"}).find("not supported yet"), std::string::npos);
  EXPECT_NE(usage_error({"report"}).find("no command `report`"), std::string::npos);
}

TEST(Parse, MistakesSayWhatToDo) {
  EXPECT_EQ(usage_error({"statsu"}), "no command `statsu`; did you mean `status`?");
  EXPECT_NE(usage_error({"up"}).find("campaignctl up --help"), std::string::npos);
  EXPECT_NE(usage_error({"run", "sleep", "1"}).find("put `--` before the command"),
            std::string::npos);
  EXPECT_NE(usage_error({"status", "--", "x"}).find("belongs to"), std::string::npos);
  EXPECT_NE(usage_error({"up", "c", "--set", "novalue"}).find("dotted.key=value"),
            std::string::npos);
  EXPECT_NE(usage_error({"stop", "--now", "--after-run"}).find("stop --help"), std::string::npos);
}

TEST(Commands, VersionIsOneLineOrOneObject) {
  const Folder folder;
  EXPECT_EQ(campaignctl(folder.path(), {"version"}).out.rfind("campaignctl ", 0), 0U);
  const auto json = nlohmann::json::parse(campaignctl(folder.path(), {"version", "--json"}).out);
  EXPECT_EQ(json["schema_version"], 1);
}

TEST(Commands, ValidateCountsRunsAndChangesNothing) {
  const Folder folder;
  folder.write("c.yaml", quick);
  const std::string before = folder.tree();
  EXPECT_EQ(campaignctl(folder.path(), {"validate", "c.yaml"}).out,
            "c.yaml: ok, 2 runs of 2 experiments\n");
  EXPECT_EQ(folder.tree(), before);
}

TEST(Commands, ValidateGivesEveryErrorWithItsPlace) {
  const Folder folder;
  folder.write("c.yaml", std::string(quick) + "one: 1\ntwo: 2\n");
  const Outcome text = campaignctl(folder.path(), {"validate", "c.yaml"});
  EXPECT_EQ(text.code, 2);
  EXPECT_EQ(text.out, "");
  EXPECT_NE(text.err.find("c.yaml:5:1: one"), std::string::npos) << text.err;
  EXPECT_NE(text.err.find("c.yaml:6:1: two"), std::string::npos) << text.err;
  const Outcome json = campaignctl(folder.path(), {"validate", "c.yaml", "--json"});
  EXPECT_EQ(json.code, 2);
  EXPECT_EQ(nlohmann::json::parse(json.out)["errors"][1]["line"], 6);
}

TEST(Commands, PlanAndDryRunWarnWhereUpWouldBeRefusedItsGpus) {
  const Folder folder;
  folder.write("c.yaml", std::string(quick) + "gpus: all\n");
  setenv("CUDA_VISIBLE_DEVICES", "", 1);
  const std::vector<std::string> asks = {"--set", "runner.gpus=1"};
  const auto with = [&](std::vector<std::string> words) {
    words.insert(words.end(), asks.begin(), asks.end());
    return campaignctl(folder.path(), words);
  };
  const Outcome planned = with({"plan", "c.yaml"}), dry = with({"up", "c.yaml", "--dry-run"}),
                refused = with({"up", "c.yaml"});
  unsetenv("CUDA_VISIBLE_DEVICES");
  EXPECT_EQ(planned.code, 0);
  EXPECT_EQ(planned.err, dry.err);
  const auto at = planned.err.find("`up` would refuse this here and now: ");
  ASSERT_NE(at, std::string::npos) << planned.err;
  EXPECT_EQ(refused.code, 3);
  EXPECT_NE(refused.err.find(planned.err.substr(planned.err.find(": ", at) + 2)), std::string::npos)
      << refused.err;
  EXPECT_EQ(campaignctl(folder.path(), {"plan", "c.yaml"}).err, "");
}

TEST(Commands, PlanAndDryRunPrintTheSameAndChangeNothing) {
  const Folder folder;
  folder.write("c.yaml", quick);
  const std::string before = folder.tree();
  const Outcome plan = campaignctl(folder.path(), {"plan", "c.yaml"});
  const Outcome dry = campaignctl(folder.path(), {"up", "c.yaml", "--dry-run"});
  EXPECT_EQ(plan.code, 0);
  EXPECT_EQ(plan.out, dry.out);
  EXPECT_TRUE(plan.out.ends_with("2 runs of unknown length; no gaps\n")) << plan.out;
  EXPECT_EQ(campaignctl(folder.path(), {"plan", "c.yaml", "--as", "docker"}).code, 0);
  EXPECT_EQ(folder.tree(), before);
}

// One campaign, run once; the tests below read what it left.
class AfterUp : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new Folder;
    folder_->write("c.yaml", quick);
    up_ = new Outcome(campaignctl(folder_->path(), {"up", "c.yaml"}));
  }
  static void TearDownTestSuite() {
    delete up_;
    delete folder_;
  }
  static Outcome ctl(const std::vector<std::string>& words) {
    return campaignctl(folder_->path(), words);
  }
  static nlohmann::json json(std::vector<std::string> words) {
    words.emplace_back("--json");
    return nlohmann::json::parse(ctl(words).out);
  }
  static Folder* folder_;
  static Outcome* up_;
};
Folder* AfterUp::folder_ = nullptr;
Outcome* AfterUp::up_ = nullptr;

TEST_F(AfterUp, TheSummaryIsOnStandardOutputAndTheRestOnStandardError) {
  EXPECT_EQ(up_->code, 1) << up_->err;
  EXPECT_NE(up_->out.find("2 runs: 1 completed, 1 failed (payload)\n"), std::string::npos)
      << up_->out;
  EXPECT_NE(up_->out.find("l9.c01 failed (payload)"), std::string::npos);
  EXPECT_NE(up_->err.find("results: " + folder_->path() + "/results/quick/"), std::string::npos);
}

TEST_F(AfterUp, AFinishedSessionIsNotRunAgainAndEndsAsItDid) {
  EXPECT_EQ(ctl({"up", "c.yaml"}).code, 1);
  EXPECT_EQ(json({"status"})["state"], "finished");
}

TEST_F(AfterUp, StatusCountsAndChangesNothing) {
  const std::string before = folder_->tree();
  const auto status = json({"status", "--runs"});
  EXPECT_EQ(status["runs_completed"], 1);
  EXPECT_EQ(status["runs_failed"], 1);
  EXPECT_EQ(status["runs"][1]["class"], "payload");
  EXPECT_EQ(ctl({"status", "--why", "l9.c01"}).code, 0);
  EXPECT_EQ(ctl({"results", "show"}).code, 0);
  EXPECT_EQ(ctl({"journal", "cat"}).code, 0);
  EXPECT_EQ(folder_->tree(), before);
}

TEST_F(AfterUp, LogsAreWhatTheRunPrinted) {
  EXPECT_EQ(ctl({"logs", "l1.c01"}).out, "hello 1\n");
  EXPECT_EQ(ctl({"logs", "state=failed"}).out, "hello 9\n");
  const Outcome several = ctl({"logs", "l*"});
  EXPECT_EQ(several.code, 2);
  EXPECT_NE(several.err.find("matches 2 runs, name one: l1.c01, l9.c01"), std::string::npos);
}

TEST_F(AfterUp, ResultsAreExported) {
  const Outcome csv = ctl({"results", "export", "--tidy"});
  EXPECT_NE(csv.out.find("measure_seconds"), std::string::npos);
  EXPECT_EQ(json({"results", "export", "--format", "json"})["schema_version"], 1);
  EXPECT_EQ(json({"results", "list"})["runs"].size(), 2U);
  EXPECT_EQ(ctl({"results", "show", "--run", "l1.c01"}).code, 0);
}

TEST_F(AfterUp, ARunIsShownWithTheEnvironmentThatItHad) {
  const auto seen = json({"results", "show", "--run", "l1.c01"})["environment"];
  EXPECT_FALSE(seen.contains("engine")) << "a process of the host has none";
  EXPECT_EQ(seen["gpus"], nlohmann::json::array());
  EXPECT_GT(seen["host"]["memory_bytes"], 1 << 20);
  const std::string text = ctl({"results", "show", "--run", "l1.c01"}).out;
  EXPECT_NE(text.find("  environment as it was before the run\n    host    name "),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("    cpu     "), std::string::npos) << text;
}

TEST_F(AfterUp, StopOfWhatDoesNotRunIsAnError) {
  const Outcome stop = ctl({"stop"});
  EXPECT_EQ(stop.code, 2);
  EXPECT_NE(stop.err.find("no controller runs it"), std::string::npos);
}

TEST_F(AfterUp, AWholeJournalIsCompactedAndReadTheSame) {
  const auto before = json({"status", "--runs"});
  EXPECT_EQ(ctl({"journal", "fsck"}).code, 0);
  EXPECT_EQ(ctl({"journal", "compact"}).code, 0);
  const auto after = json({"status", "--runs"});
  EXPECT_EQ(before["runs"], after["runs"]);
}

TEST(Commands, ADamagedJournalIsExit65UntilItIsRepaired) {
  namespace fs = std::filesystem;
  const Folder folder;
  folder.write("c.yaml", quick);
  campaignctl(folder.path(), {"up", "c.yaml", "-q"});
  for (const auto& entry : fs::recursive_directory_iterator(folder.path() + "/.state"))
    if (entry.path().extension() == ".jsonl" &&
        entry.path().parent_path().filename() == "journal") {
      std::FILE* file = std::fopen(entry.path().c_str(), "r+");
      std::fseek(file, 40, SEEK_SET);
      std::fputs("XXXX", file);
      std::fclose(file);
    }
  const Outcome damaged = campaignctl(folder.path(), {"journal", "fsck"});
  EXPECT_EQ(damaged.code, 65) << damaged.out << damaged.err;
  EXPECT_NE(damaged.out.find("--repair"), std::string::npos);
  EXPECT_EQ(campaignctl(folder.path(), {"journal", "fsck", "--repair"}).code, 0);
  EXPECT_EQ(campaignctl(folder.path(), {"journal", "fsck"}).code, 0);
}

TEST(Commands, RunEndsWithAComparison) {
  const Folder folder;
  const Outcome run = campaignctl(folder.path(), {"run", "--axis", "s=0.001,0.05", "--cycles", "3",
                                                  "--save", "t.json", "--", "sleep", "{p.s}"});
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_NE(run.out.find("s0.001 ran\n"), std::string::npos) << run.out;
  EXPECT_NE(run.out.find("times faster than s0.05\n"), std::string::npos);
  EXPECT_TRUE(std::filesystem::exists(folder.path() + "/t.json"));
  EXPECT_FALSE(std::filesystem::exists(folder.path() + "/.state"));
}

TEST(Commands, NothingToFindIsAUsageError) {
  const Folder folder;
  const Outcome status = campaignctl(folder.path(), {"status"});
  EXPECT_EQ(status.code, 2);
  EXPECT_NE(status.err.find("no campaign found"), std::string::npos);
  EXPECT_EQ(campaignctl(folder.path(), {"up", "absent.yaml"}).code, 2);
}

TEST(Commands, AFullDiskBehindStandardOutputIsTold) {
  const Folder folder;
  const std::string line = std::string(CAMPAIGNCTL_PATH) + " version > /dev/full 2>/dev/null";
  EXPECT_EQ(WEXITSTATUS(std::system(line.c_str())), 3);
}

}  // namespace
}  // namespace controller
