#include "controller/progress/progress.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>

#include "controller/progress/format.hpp"
#include "controller/progress/report.hpp"

namespace controller {
namespace {

class StillClock final : public campaign::Clock {
 public:
  double utc() const override { return 43384; }
  double boottime() const override { return 0; }
  std::int64_t monotonic_ns() const override { return now_ns; }
  std::string boot_id() const override { return "b"; }
  std::int64_t now_ns = 1;
};

class Pipe {
 public:
  Pipe() {
    EXPECT_EQ(pipe2(ends_.data(), O_NONBLOCK | O_CLOEXEC), 0);
    setenv("TZ", "UTC", 1);
    tzset();
  }
  ~Pipe() {
    close(ends_[0]);
    close(ends_[1]);
  }
  int in() const { return ends_[1]; }
  std::string read_all() const {
    std::string text;
    std::array<char, 65536> buffer{};
    for (ssize_t n = 0; (n = read(ends_[0], buffer.data(), buffer.size())) > 0;)
      text.append(buffer.data(), static_cast<std::size_t>(n));
    return text;
  }

 private:
  std::array<int, 2> ends_{};
};

ProgressState sample() {
  ProgressState state;
  state.campaign = "tiny";
  state.total = 30;
  state.completed = 5;
  state.failed = 1;
  state.cycle = 1;
  state.cycles = 3;
  state.elapsed = 70;
  state.eta = 480;
  state.workers = {{.id = 0, .run = "b4.c02", .stage = "measure", .since_utc = 43380}};
  return state;
}

TEST(LineProgress, ARunIsALineWithTimeAndCounts) {
  const Pipe pipe;
  const StillClock clock;
  const auto progress = make_line_progress(pipe.in(), clock);
  progress->run_ended({.run = "b4.c02", .attempt = 1, .ok = true, .seconds = 1.234, .text = "ok"});
  progress->tick(sample());
  EXPECT_EQ(pipe.read_all(), "[12:03:04] b4.c02 ok 1.23s (6/30, 1 failed, about 8m left)\n");
}

TEST(LineProgress, SeveralRunsBetweenTwoStatesCountUp) {
  const Pipe pipe;
  const StillClock clock;
  const auto progress = make_line_progress(pipe.in(), clock);
  for (const char* run : {"a.c01", "b.c01"})
    progress->run_ended({.run = run, .attempt = 1, .ok = true, .seconds = 2, .text = "ok"});
  progress->tick(sample());
  const std::string text = pipe.read_all();
  EXPECT_NE(text.find("a.c01 ok 2.00s (5/30"), std::string::npos) << text;
  EXPECT_NE(text.find("b.c01 ok 2.00s (6/30"), std::string::npos) << text;
}

TEST(LineProgress, ASuccessThatDoesNotCountSaysWhy) {
  const Pipe pipe;
  const StillClock clock;
  const auto progress = make_line_progress(pipe.in(), clock);
  progress->run_ended({.run = "a.c01", .seconds = 2, .text = "ok", .invalid = "throttled"});
  progress->finish();
  EXPECT_EQ(pipe.read_all(), "[12:03:04] a.c01 ok 2.00s, invalid: throttled\n");
}

TEST(LineProgress, FailuresSayWhyAndWhichAttempt) {
  const Pipe pipe;
  const StillClock clock;
  const auto progress = make_line_progress(pipe.in(), clock);
  progress->run_ended({.run = "a.c01", .attempt = 2, .ok = false, .seconds = 2, .text = "oom"});
  progress->finish();
  EXPECT_EQ(pipe.read_all(), "[12:03:04] a.c01 attempt 2 failed, oom\n");
}

TEST(LineProgress, AFullPipeNeverBlocksAndLosesNoOrder) {
  const Pipe pipe;
  const StillClock clock;
  const auto progress = make_line_progress(pipe.in(), clock);
  for (int i = 0; i < 3000; ++i) progress->note(std::to_string(i) + std::string(90, '.'));
  std::string text;
  for (int i = 0; i < 100; ++i) {
    text += pipe.read_all();
    progress->note("more");
  }
  EXPECT_LT(text.find("] 0."), text.find("] 2999."));
  EXPECT_NE(text.find("] 2999."), std::string::npos);
}

TEST(LineProgress, OnlyAWaitThatNobodyKnowsTheEndOfIsALineAndOnlyOnce) {
  const Pipe pipe;
  const StillClock clock;
  const auto progress = make_line_progress(pipe.in(), clock);
  ProgressState state = sample();
  state.wait = {.reason = "gap", .until_utc = 43394};
  progress->tick(state);
  state.wait = {.reason = "GPUs: GPU 0 is leased"};
  progress->tick(state);
  progress->tick(state);
  EXPECT_EQ(pipe.read_all(), "[12:03:04] waits: GPUs: GPU 0 is leased\n");
}

TEST(Wait, SaysHowLongAndHowSurely) {
  EXPECT_EQ(text_of({}, 100), "");
  EXPECT_EQ(text_of({.reason = "the engine is away"}, 100), "the engine is away");
  EXPECT_EQ(text_of({.reason = "gap", .until_utc = 142}, 100), "gap, 42 s left");
  EXPECT_EQ(text_of({.reason = "gap", .until_utc = 142}, 130), "gap, 12 s left");
  EXPECT_EQ(text_of({.reason = "gap", .until_utc = 142}, 150), "gap, 0 s left");
  EXPECT_EQ(
      text_of({.reason = "gap: GPU 0 at 61 C", .until_utc = 140, .end = Wait::End::forecast}, 100),
      "gap: GPU 0 at 61 C, about 40 s left");
  EXPECT_EQ(text_of({.reason = "gap", .until_utc = 1000, .end = Wait::End::at_most}, 100),
            "gap, at most 15 min left");
}

TEST(LiveProgress, HeaderCountsAWaitDownBetweenTwoStates) {
  ProgressState state = sample();
  state.wait = {.reason = "retry of b4.c02", .until_utc = 43394};
  EXPECT_EQ(live_lines(state, 43384, false)[0],
            "tiny  cycle 1 of 3  1m10s   waits: retry of b4.c02, 10 s left");
  EXPECT_EQ(live_lines(state, 43391, false)[0],
            "tiny  cycle 1 of 3  1m10s   waits: retry of b4.c02, 3 s left");
}

TEST(LiveProgress, DrawsHeaderBarAndWorkers) {
  const std::vector<std::string> lines = live_lines(sample(), 43384, false);
  EXPECT_EQ(lines, (std::vector<std::string>{
                       "tiny  cycle 1 of 3  1m10s",
                       "████░░░░░░░░░░░░░░░░ 20% (6/30 runs, 1 failed)   about 8m left",
                       "worker 0  b4.c02  measure  4.0s"}));
}

TEST(LiveProgress, DrawsAtMostTenTimesASecond) {
  const Pipe pipe;
  StillClock clock;
  const auto progress = make_live_progress(pipe.in(), false, clock);
  progress->tick(sample());
  EXPECT_NE(pipe.read_all(), "");
  clock.now_ns += 99'000'000;
  progress->tick(sample());
  EXPECT_EQ(pipe.read_all(), "");
  clock.now_ns += 2'000'000;
  progress->tick(sample());
  EXPECT_NE(pipe.read_all().find("\x1b[2A\x1b[J"), std::string::npos);
}

TEST(LiveProgress, LeavesNothingOfItsBlockAndNeverHidesTheCursor) {
  const Pipe pipe;
  const StillClock clock;
  const auto progress = make_live_progress(pipe.in(), true, clock);
  progress->tick(sample());
  progress->finish();
  const std::string text = pipe.read_all();
  EXPECT_TRUE(text.ends_with("\r\x1b[2A\x1b[J")) << text;
  EXPECT_EQ(text.find("\x1b[?"), std::string::npos);
}

TEST(LiveProgress, FailuresStayAboveTheBlock) {
  const Pipe pipe;
  const StillClock clock;
  const auto progress = make_live_progress(pipe.in(), false, clock);
  progress->tick(sample());
  progress->run_ended({.run = "a.c01", .attempt = 1, .ok = false, .seconds = 2, .text = "oom"});
  progress->finish();
  EXPECT_NE(pipe.read_all().find("a.c01 failed, oom\n"), std::string::npos);
}

TEST(LiveProgress, ASuccessThatDoesNotCountStaysAboveTheBlockToo) {
  const Pipe pipe;
  const StillClock clock;
  const auto progress = make_live_progress(pipe.in(), false, clock);
  progress->tick(sample());
  progress->run_ended({.run = "a.c01", .seconds = 2, .text = "ok", .invalid = "throttled"});
  progress->run_ended({.run = "b.c01", .seconds = 2, .text = "ok"});
  progress->finish();
  const std::string text = pipe.read_all();
  EXPECT_NE(text.find("a.c01 ok 2.00s, invalid: throttled\n"), std::string::npos) << text;
  EXPECT_EQ(text.find("b.c01 ok"), std::string::npos) << text;
}

TEST(Format, DurationsAreShort) {
  EXPECT_EQ(text::duration(std::nullopt), "-");
  EXPECT_EQ(text::duration(0), "0.0s");
  EXPECT_EQ(text::duration(0.0008), "0.8ms");
  EXPECT_EQ(text::duration(0.0344), "34ms");
  EXPECT_EQ(text::duration(1.24), "1.2s");
  EXPECT_EQ(text::duration(59.96), "1m00s");
  EXPECT_EQ(text::duration(270), "4m30s");
  EXPECT_EQ(text::duration(8100), "2h15m");
}

TEST(Format, SpansReadLikeAForecast) {
  EXPECT_EQ(text::span(40), "40 s");
  EXPECT_EQ(text::span(720), "12 min");
  EXPECT_EQ(text::span(15000), "4 h 10");
}

TEST(Format, FiguresHaveFourDigits) {
  EXPECT_EQ(text::figure(std::nullopt), "-");
  EXPECT_EQ(text::figure(0.0), "0");
  EXPECT_EQ(text::figure(1234.56), "1235");
  EXPECT_EQ(text::figure(-1.23456), "-1.235");
  EXPECT_EQ(text::figure(1.5e9), "1.500e+09");
}

TEST(Format, ColumnsCountCodePointsAndNoColour) {
  EXPECT_EQ(text::columns("\x1b[31mσ±…\x1b[0m"), 3U);
  EXPECT_EQ(text::clipped("abcdef", 4), "abc…");
  EXPECT_EQ(text::clipped("abcd", 4), "abcd");
}

TEST(Format, AShellReadsQuotedWordsBack) {
  EXPECT_EQ(text::shell_quoted("a-b"), "a-b");
  EXPECT_EQ(text::shell_quoted(""), "''");
  EXPECT_EQ(text::shell_quoted("it's $x"), "'it'\\''s $x'");
}

}  // namespace
}  // namespace controller
