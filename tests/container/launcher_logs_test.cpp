#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <ctime>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "tests/support/container/launcher_process.hpp"

namespace container::testing {
namespace {

using nlohmann::json;

std::int64_t monotonic_now_ns() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

std::string numbers_up_to(int last) {
  std::string text;
  for (int i = 1; i <= last; ++i) text += std::to_string(i) + "\n";
  return text;
}

class LauncherLogs : public ::testing::Test {
 protected:
  LaunchedProcess::End shell(const std::string& script, std::vector<std::string> flags = {}) {
    return launch(
        {.out = folder.path(), .flags = std::move(flags), .command = {"sh", "-c", script}});
  }
  json outcome() { return outcome_in(folder.path()); }
  json window_of(const std::string& script) {
    shell(script, {"--window-begin", "^BEGIN( |$)", "--window-end", "(^|,)END$"});
    return outcome()["window"];
  }
  std::string log() { return read_text(folder.path() / "stdout.log"); }

  // The log is a head and a tail of `stream` with the line about the rest between them.
  void expect_cut(const std::string& stream, std::uint64_t cap) {
    const std::string found = log();
    EXPECT_LE(found.size(), cap);
    const std::size_t marker = found.find("[campaignctl: ");
    ASSERT_NE(marker, std::string::npos);
    const std::size_t after = found.find("\n", marker) + 1;
    const std::uint64_t left_out = std::stoull(found.substr(marker + 14));
    ASSERT_EQ(found[marker - 1], '\n');
    const std::string tail = found.substr(after);
    const std::size_t head = stream.size() - left_out - tail.size();
    EXPECT_TRUE(head == marker || head == marker - 1);
    EXPECT_EQ(found.substr(0, head), stream.substr(0, head));
    EXPECT_EQ(tail, stream.substr(stream.size() - tail.size()));
    EXPECT_EQ(outcome()["stdout"], (json{{"bytes", stream.size()}, {"kept", head + tail.size()}}));
  }

  ScratchFolder folder;
};

TEST_F(LauncherLogs, AStreamAsLongAsTheCapIsKeptWhole) {
  const std::string stream = numbers_up_to(400'000);
  shell("seq 1 400000", {"--cap", std::to_string(stream.size())});
  EXPECT_TRUE(log() == stream);
  EXPECT_EQ(outcome()["stdout"]["kept"], stream.size());
}

TEST_F(LauncherLogs, OneByteMoreThanTheCapIsCut) {
  const std::string stream = numbers_up_to(400'000);
  const std::uint64_t cap = stream.size() - 1;
  shell("seq 1 400000", {"--cap", std::to_string(cap)});
  expect_cut(stream, cap);
}

TEST_F(LauncherLogs, OfALongStreamBothEndsAreKept) {
  shell("seq 1 3000000", {"--cap", "3000000"});
  expect_cut(numbers_up_to(3'000'000), 3'000'000);
  EXPECT_GE(log().size(), 2'999'900U);
}

TEST_F(LauncherLogs, TheSmallestCapHolds) {
  shell("seq 1 1000", {"--cap", "256"});
  expect_cut(numbers_up_to(1000), 256);
}

TEST_F(LauncherLogs, EchoIsTheEndOfBothStreams) {
  const auto end = shell("seq 1 1000; seq 1 20 >&2", {"--echo", "100"});
  const std::string out = numbers_up_to(1000), err = numbers_up_to(20);
  EXPECT_EQ(end.out, out.substr(out.size() - 50));
  EXPECT_EQ(end.err, err.substr(err.size() - 50));
}

TEST_F(LauncherLogs, EchoGivesOneStreamWhatTheOtherLeaves) {
  const auto end = shell("seq 1 1000; echo four >&2", {"--echo", "100"});
  const std::string out = numbers_up_to(1000);
  EXPECT_EQ(end.out, out.substr(out.size() - 95));
  EXPECT_EQ(end.err, "four\n");
}

TEST_F(LauncherLogs, EchoOfNothingIsNothing) {
  EXPECT_EQ(shell("echo some", {"--echo", "0"}).out, "");
}

TEST_F(LauncherLogs, TheOutcomeDoesNotWaitForAReaderOfTheEcho) {
  NameWatch watch(folder.path());
  LaunchedProcess launched({.out = folder.path(), .command = {"seq", "1", "400000"}});
  watch.wait_for("outcome.json");
  EXPECT_EQ(outcome()["exit_code"], 0);
  EXPECT_EQ(launched.finish().out.size(), 1U << 20);
}

TEST_F(LauncherLogs, NoLogsLeavesTheOutputAlone) {
  const auto end = shell("echo to out; echo to err >&2; exit 4", {"--no-logs"});
  EXPECT_EQ(end.exit_code, 4);
  EXPECT_EQ(end.out, "to out\n");
  EXPECT_EQ(end.err, "to err\n");
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "stdout.log"));
  EXPECT_EQ(outcome()["exit_code"], 4);
}

TEST_F(LauncherLogs, ALogThatCannotGrowDoesNotStopThePayload) {
  const auto end =
      launch({.out = folder.path(), .command = {"seq", "1", "2000000"}, .file_size_limit = 8192});
  EXPECT_EQ(end.exit_code, 0);
  EXPECT_EQ(outcome()["log_error"], "stdout.log: File too large");
  EXPECT_EQ(outcome()["stdout"],
            (json{{"bytes", numbers_up_to(2'000'000).size()}, {"kept", 8192}}));
}

TEST_F(LauncherLogs, ALinkInPlaceOfALogIsNotFollowed) {
  const auto target = folder.path() / "target";
  std::filesystem::create_symlink(target, folder.path() / "stdout.log");
  EXPECT_EQ(shell("echo text").exit_code, 0);
  EXPECT_FALSE(std::filesystem::exists(target));
  EXPECT_EQ(outcome()["log_error"], "stdout.log: Too many levels of symbolic links");
  EXPECT_EQ(outcome()["stdout"], (json{{"bytes", 5}, {"kept", 0}}));
}

TEST_F(LauncherLogs, AFastWriterIsNotSlowed) {
  const auto start = std::chrono::steady_clock::now();
  launch({.out = folder.path(),
          .flags = {"--echo", "0"},
          .command = {"dd", "if=/dev/zero", "bs=64k", "count=3200"}});
  const auto took = std::chrono::steady_clock::now() - start;
  EXPECT_EQ(outcome()["stdout"]["bytes"], 200 << 20);
  EXPECT_LE(std::filesystem::file_size(folder.path() / "stdout.log"), 64U << 20);
  EXPECT_LT(took, std::chrono::seconds(20));
}

TEST_F(LauncherLogs, WindowMarksAreStampedWhenTheyCome) {
  LaunchedProcess launched(
      {.out = folder.path(),
       .flags = {"--window-begin", "^BEGIN$", "--window-end", "^END$"},
       .command = {"sh", "-c", "echo BEGIN; echo said >&9; read go <&8; echo END; echo END"}});
  launched.hear();
  const std::int64_t between = monotonic_now_ns();
  launched.tell("go");
  launched.finish();
  const json found = outcome();
  EXPECT_GE(found["window"]["begin_mono_ns"], found["start_mono_ns"]);
  EXPECT_GE(found["window"]["end_mono_ns"].get<std::int64_t>(), between);
  EXPECT_GE(found["window"]["end_mono_ns"], found["window"]["begin_mono_ns"]);
}

TEST_F(LauncherLogs, AnEndBeforeTheBeginIsNoMark) {
  const json window = window_of("echo END; echo BEGIN");
  EXPECT_NE(window["begin_mono_ns"], nullptr);
  EXPECT_EQ(window["end_mono_ns"], nullptr);
}

TEST_F(LauncherLogs, ALastLineWithoutNewlineCounts) {
  EXPECT_NE(window_of("echo BEGIN; printf x,END")["end_mono_ns"], nullptr);
}

TEST_F(LauncherLogs, ALineInPiecesIsOneLine) {
  const json window = window_of("printf BEG; echo x >&2; printf 'IN x\\nEN'; echo x >&2; echo D");
  EXPECT_NE(window["begin_mono_ns"], nullptr);
  EXPECT_NE(window["end_mono_ns"], nullptr);
}

TEST_F(LauncherLogs, ZeroBytesDoNotEndALine) {
  EXPECT_NE(window_of("echo BEGIN; printf 'a\\0b,END\\n'")["end_mono_ns"], nullptr);
}

TEST_F(LauncherLogs, OfALongLineTheFirst64KiBCount) {
  const std::string filler = "head -c 70000 /dev/zero | tr '\\0' x; ";
  EXPECT_NE(window_of("printf 'BEGIN '; " + filler + "echo")["begin_mono_ns"], nullptr);
}

TEST_F(LauncherLogs, TheRestOfALongLineDoesNotCount) {
  const std::string filler = "head -c 70000 /dev/zero | tr '\\0' x; ";
  const json window = window_of("echo BEGIN; " + filler + "echo ,END");
  EXPECT_NE(window["begin_mono_ns"], nullptr);
  EXPECT_EQ(window["end_mono_ns"], nullptr);
}

TEST_F(LauncherLogs, StderrHasNoWindowMarks) {
  EXPECT_EQ(window_of("echo BEGIN >&2")["begin_mono_ns"], nullptr);
}

}  // namespace
}  // namespace container::testing
