#include <elf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>

#include "tests/support/container/launcher_process.hpp"

namespace container::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

class LauncherOutcome : public ::testing::Test {
 protected:
  LaunchedProcess::End run(std::vector<std::string> command, std::vector<std::string> flags = {}) {
    return launch({.out = folder.path(), .flags = std::move(flags), .command = std::move(command)});
  }
  LaunchedProcess::End shell(const std::string& script, std::vector<std::string> flags = {}) {
    return run({"sh", "-c", script}, std::move(flags));
  }
  json outcome() { return outcome_in(folder.path()); }

  ScratchFolder folder;
};

TEST_F(LauncherOutcome, HasEveryFieldOfItsFormat) {
  EXPECT_EQ(shell("echo hello; echo oh >&2; exit 3").exit_code, 3);
  const json found = outcome();
  EXPECT_EQ(found["v"], 1);
  EXPECT_EQ(found["run"], "tiny.c01.a1");
  EXPECT_EQ(found["exit_code"], 3);
  EXPECT_EQ(found["signal"], nullptr);
  EXPECT_EQ(found["exec_error"], nullptr);
  EXPECT_EQ(found["stdout"], (json{{"bytes", 6}, {"kept", 6}}));
  EXPECT_EQ(found["stderr"], (json{{"bytes", 3}, {"kept", 3}}));
  EXPECT_EQ(found["log_error"], nullptr);
  EXPECT_EQ(found["window"], (json{{"begin_mono_ns", nullptr}, {"end_mono_ns", nullptr}}));
  EXPECT_EQ(found["killed_descendants"], 0);
  EXPECT_EQ(found["left_descendants"], 0);
  EXPECT_EQ(found["stopped_by"], nullptr);
  EXPECT_EQ(found["boot"].get<std::string>() + "\n", read_text("/proc/sys/kernel/random/boot_id"));
  EXPECT_LT(found["start_mono_ns"].get<long long>(), found["end_mono_ns"].get<long long>());
  EXPECT_LT(found["start_boottime"].get<double>(), found["end_boottime"].get<double>());
  EXPECT_LE(found["start_utc"].get<double>(), found["end_utc"].get<double>());
  EXPECT_EQ(found["rusage"].size(), 9U);
  EXPECT_GT(found["rusage"]["max_rss_kb"].get<long>(), 0);
}

TEST_F(LauncherOutcome, CountsProcessorTimeOfDescendants) {
  shell("sh -c 'i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done'; true");
  const json used = outcome()["rusage"];
  EXPECT_GT(used["user_s"].get<double>() + used["system_s"].get<double>(), 0.01);
}

TEST_F(LauncherOutcome, TellsOfASignalByItsNumber) {
  EXPECT_EQ(shell("kill -SEGV $$").exit_code, 128 + 11);
  EXPECT_EQ(outcome()["signal"], 11);
  EXPECT_EQ(outcome()["exit_code"], nullptr);
}

TEST_F(LauncherOutcome, SaysWhichCommandIsNotThere) {
  EXPECT_EQ(run({"no-such-command"}).exit_code, 127);
  EXPECT_EQ(outcome()["exit_code"], 127);
  EXPECT_EQ(outcome()["exec_error"],
            (json{{"errno", 2}, {"message", "No such file or directory: no-such-command"}}));
}

TEST_F(LauncherOutcome, SaysThatAFileCannotBeExecuted) {
  std::ofstream(folder.path() / "plain") << "text";
  EXPECT_EQ(run({folder.path() / "plain"}).exit_code, 126);
  EXPECT_EQ(outcome()["exec_error"]["errno"], 13);
}

TEST_F(LauncherOutcome, AnExitCodeOf127OfThePayloadIsNoExecError) {
  EXPECT_EQ(shell("exit 127").exit_code, 127);
  EXPECT_EQ(outcome()["exec_error"], nullptr);
}

TEST_F(LauncherOutcome, TextThatIsNotUtf8StaysJson) {
  EXPECT_EQ(run({"no\xff\"such\n"}).exit_code, 127);
  EXPECT_EQ(outcome()["exec_error"]["message"], "No such file or directory: no\uFFFD\"such\n");
}

TEST_F(LauncherOutcome, ChdirMovesThePayload) {
  shell("pwd", {"--chdir", "/proc"});
  EXPECT_EQ(read_text(folder.path() / "stdout.log"), "/proc\n");
}

TEST_F(LauncherOutcome, AMissingFolderForChdirIsAnExecError) {
  EXPECT_EQ(shell("pwd", {"--chdir", "/no/such/folder"}).exit_code, 127);
  EXPECT_THAT(outcome()["exec_error"]["message"].get<std::string>(), HasSubstr("/no/such/folder"));
}

TEST_F(LauncherOutcome, CommandIsSearchedInPath) {
  const auto tool = folder.path() / "tool-of-mine";
  std::ofstream(tool) << "#!/bin/sh\nexit 42\n";
  std::filesystem::permissions(tool, std::filesystem::perms::owner_all);
  const auto end = launch({.out = folder.path(),
                           .command = {"tool-of-mine"},
                           .env = {{"PATH", "/nowhere:" + folder.path().string()}}});
  EXPECT_EQ(end.exit_code, 42);
}

TEST_F(LauncherOutcome, ManyArgumentsArriveUnchanged) {
  std::vector<std::string> command{"sh", "-c", "echo $#; for last; do :; done; echo \"$last\"",
                                   "x"};
  for (int i = 0; i < 5000; ++i) command.push_back("--argument " + std::to_string(i));
  run(command);
  EXPECT_EQ(read_text(folder.path() / "stdout.log"), "5000\n--argument 4999\n");
}

TEST_F(LauncherOutcome, StandardInputIsDevNull) {
  EXPECT_EQ(shell("cat; readlink /proc/self/fd/0").exit_code, 0);
  EXPECT_EQ(read_text(folder.path() / "stdout.log"), "/dev/null\n");
}

TEST_F(LauncherOutcome, BegunNamesTheLauncher) {
  LaunchedProcess launched(
      {.out = folder.path(), .command = {"sh", "-c", "echo ready >&9; read go <&8"}});
  launched.hear();
  const json begun = json::parse(read_text(folder.path() / "begun"));
  EXPECT_EQ(begun["run"], "tiny.c01.a1");
  EXPECT_EQ(begun["pid"], launched.pid());
  const std::string stat = read_text("/proc/" + std::to_string(launched.pid()) + "/stat");
  EXPECT_THAT(stat, HasSubstr(" " + std::to_string(begun["pid_start"].get<long>()) + " "));
  launched.tell("go");
  launched.finish();
}

TEST_F(LauncherOutcome, AnAttemptBeginsOnce) {
  shell("echo first");
  const auto again = shell("echo second");
  EXPECT_EQ(again.exit_code, 125);
  EXPECT_THAT(again.err, HasSubstr("begun"));
  EXPECT_EQ(read_text(folder.path() / "stdout.log"), "first\n");
}

TEST_F(LauncherOutcome, OfManyStartsAtOnceOneBegins) {
  std::vector<std::unique_ptr<LaunchedProcess>> starts;
  for (int i = 0; i < 8; ++i)
    starts.push_back(std::make_unique<LaunchedProcess>(
        LaunchedProcess::Setup{.out = folder.path(), .command = {"sh", "-c", "exit 7"}}));
  std::vector<int> codes;
  for (auto& start : starts) codes.push_back(start->finish().exit_code);
  EXPECT_EQ(std::count(codes.begin(), codes.end(), 7), 1);
  EXPECT_EQ(std::count(codes.begin(), codes.end(), 125), 7);
}

TEST_F(LauncherOutcome, NothingTemporaryIsLeft) {
  shell("true");
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path()))
    names.push_back(entry.path().filename());
  EXPECT_THAT(names,
              ::testing::UnorderedElementsAre("begun", "outcome.json", "stderr.log", "stdout.log"));
}

TEST_F(LauncherOutcome, OneThatCannotBeWrittenIsSaidAndExits74) {
  const auto end =
      launch({.out = folder.path(), .command = {"sh", "-c", "exit 5"}, .file_size_limit = 300});
  EXPECT_EQ(end.exit_code, 74);
  EXPECT_THAT(end.err, HasSubstr("outcome.json: File too large; the payload exited with 5"));
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "outcome.json"));
}

TEST_F(LauncherOutcome, AMissingFolderStartsNothing) {
  const auto end =
      launch({.out = folder.path() / "none", .command = {"touch", folder.path() / "x"}});
  EXPECT_EQ(end.exit_code, 74);
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "x"));
}

TEST_F(LauncherOutcome, WrongUsageSaysWhichFlagAndStartsNothing) {
  const std::vector<std::vector<std::string>> wrong{
      {"--cap", "12"},          {"--cap", "lots"},     {"--echo", "-1"},   {"--grace", "soon"},
      {"--window-begin", "(a"}, {"--follow-pid", "0"}, {"--nonsense", "1"}};
  for (const auto& flags : wrong) {
    const auto end = run({"true"}, flags);
    EXPECT_EQ(end.exit_code, 64) << flags[0] << " " << flags[1];
    EXPECT_THAT(end.err, HasSubstr(flags[0]));
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(LauncherProgram, NeedsNoLoaderAndIsSmall) {
  const std::string program = read_text(LAUNCHER_PATH);
  ASSERT_GT(program.size(), sizeof(Elf64_Ehdr));
  Elf64_Ehdr header;
  std::memcpy(&header, program.data(), sizeof header);
  for (int i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment;
    std::memcpy(&segment, program.data() + header.e_phoff + i * sizeof segment, sizeof segment);
    EXPECT_NE(segment.p_type, static_cast<Elf64_Word>(PT_INTERP));
  }
  EXPECT_LT(program.size(), 1'200'000U);
}

}  // namespace
}  // namespace container::testing
