#include "tests/campaign/results_fixture.hpp"

namespace campaign::testing {
namespace {

using Source = MeasureWindow::Source;

class MeasureWindowTest : public ResultsTest {
 protected:
  static std::string mark(const std::string& which, const std::string& at) {
    return R"({"kind":"phase","name":"measure","mark":")" + which + R"(","mono_ns":)" + at + "}\n";
  }
};

TEST_F(MeasureWindowTest, IsTheProcessWhenNothingElseIsSaid) {
  const auto verdict = verify();
  EXPECT_EQ(verdict.window.source, Source::process);
  EXPECT_DOUBLE_EQ(verdict.window.seconds, 10);
  EXPECT_EQ(verdict.window.begin_ns, 1'000'000'000);
}

TEST_F(MeasureWindowTest, IsWhatThePatternsStamped) {
  outcome.window_begin_ns = 2'000'000'000;
  outcome.window_end_ns = 5'000'000'000;
  const auto verdict = verify();
  EXPECT_EQ(verdict.window.source, Source::pattern);
  EXPECT_DOUBLE_EQ(verdict.window.seconds, 3);
  EXPECT_TRUE(verdict.notes.empty());
}

TEST_F(MeasureWindowTest, EndsWithTheProcessWhenTheEndPatternNeverMatched) {
  outcome.window_begin_ns = 2'000'000'000;
  const auto verdict = verify();
  EXPECT_DOUBLE_EQ(verdict.window.seconds, 9);
  EXPECT_EQ(verdict.notes.size(), 1U);
}

TEST_F(MeasureWindowTest, OfThePayloadWinsOverPatterns) {
  outcome.window_begin_ns = 2'000'000'000;
  payload("metrics.jsonl", mark("begin", "3000000000") + mark("end", "4500000000"));
  const auto verdict = verify();
  EXPECT_EQ(verdict.window.source, Source::phase);
  EXPECT_DOUBLE_EQ(verdict.window.seconds, 1.5);
  EXPECT_EQ(verdict.window.begin_ns, 3'000'000'000);
  EXPECT_EQ(verdict.window.end_ns, 4'500'000'000);
  EXPECT_TRUE(verdict.window.parts.empty()) << "it is one piece";
}

TEST_F(MeasureWindowTest, OfSeveralPairsIsTheirSumWithANote) {
  payload("metrics.jsonl", mark("begin", "2000000000") + mark("end", "3000000000") +
                               mark("begin", "5000000000") + mark("end", "7000000000"));
  const auto verdict = verify();
  EXPECT_DOUBLE_EQ(verdict.window.seconds, 3);
  EXPECT_EQ(verdict.window.begin_ns, 2'000'000'000);
  EXPECT_EQ(verdict.window.end_ns, 7'000'000'000);
  const std::vector<MeasureWindow::Part> parts = {{2'000'000'000, 3'000'000'000},
                                                  {5'000'000'000, 7'000'000'000}};
  EXPECT_EQ(verdict.window.parts, parts);
  ASSERT_EQ(verdict.notes.size(), 1U);
  EXPECT_NE(verdict.notes[0].find("2 phase measure intervals"), std::string::npos);
}

TEST_F(MeasureWindowTest, OfSeveralProcessesIsTheUnionOfTheirMarks) {
  payload("metrics.jsonl", mark("begin", "2000000000") + mark("begin", "2100000000") +
                               mark("end", "6000000000") + mark("end", "5900000000"));
  EXPECT_DOUBLE_EQ(verify().window.seconds, 4);
}

TEST_F(MeasureWindowTest, WithoutAnEndLastsToTheEndOfTheProcess) {
  payload("metrics.jsonl", mark("begin", "3000000000"));
  const auto verdict = verify();
  EXPECT_EQ(verdict.cls, FailureClass::none);
  EXPECT_EQ(verdict.window.source, Source::phase);
  EXPECT_DOUBLE_EQ(verdict.window.seconds, 8);
  EXPECT_EQ(verdict.notes.size(), 1U);
}

TEST_F(MeasureWindowTest, ThatEndsBeforeItBeginsIsInvalid) {
  payload("metrics.jsonl", mark("end", "3000000000") + mark("begin", "4000000000"));
  const auto verdict = verify();
  EXPECT_EQ(verdict.cls, FailureClass::invalid_result);
  EXPECT_EQ(verdict.window.source, Source::process);
}

TEST_F(MeasureWindowTest, OutsideTheProcessIsInvalid) {
  payload("metrics.jsonl", mark("begin", "999999999") + mark("end", "3000000000"));
  EXPECT_EQ(verify().cls, FailureClass::invalid_result);
  payload("metrics.jsonl", mark("begin", "2000000000") + mark("end", "11000000001"));
  const auto verdict = verify();
  EXPECT_EQ(verdict.cls, FailureClass::invalid_result);
  EXPECT_NE(verdict.message.find("11000000001"), std::string::npos);
}

TEST_F(MeasureWindowTest, NeedsAnIntegerTime) {
  payload("metrics.jsonl", mark("begin", "\"soon\""));
  EXPECT_EQ(verify().cls, FailureClass::invalid_result);
  payload("metrics.jsonl", mark("middle", "3000000000"));
  EXPECT_EQ(verify().cls, FailureClass::invalid_result);
}

TEST_F(MeasureWindowTest, IgnoresATornLastLineAtEveryByte) {
  const std::string whole = mark("begin", "2000000000") + mark("end", "4000000000");
  const std::string more = mark("begin", "6000000000");
  for (std::size_t kept = 0; kept + 2 < more.size(); ++kept) {
    payload("metrics.jsonl", whole + more.substr(0, kept));
    const auto verdict = verify();
    EXPECT_EQ(verdict.cls, FailureClass::none) << kept;
    EXPECT_DOUBLE_EQ(verdict.window.seconds, 2) << kept;
    EXPECT_TRUE(verdict.notes.empty()) << kept;
  }
}

TEST_F(MeasureWindowTest, NotesBrokenLinesAndReadsOn) {
  payload("metrics.jsonl", "{\"kind\":\"phase\", broken\n" + mark("begin", "2000000000") +
                               std::string(2 << 20, 'x') + "\n" + mark("end", "4000000000"));
  const auto verdict = verify();
  EXPECT_DOUBLE_EQ(verdict.window.seconds, 2);
  ASSERT_EQ(verdict.notes.size(), 1U);
  EXPECT_EQ(verdict.notes[0].substr(0, 8), "2 lines ");
}

TEST_F(MeasureWindowTest, OfOtherPhasesAndKindsDoesNotCount) {
  payload("metrics.jsonl",
          "{\"kind\":\"phase\",\"name\":\"warmup\",\"mark\":\"begin\",\"mono_ns\":1}\n"
          "{\"kind\":\"chunk\",\"t_start\":1}\n");
  EXPECT_EQ(verify().window.source, Source::process);
}

TEST_F(MeasureWindowTest, WithoutTheLauncherTakesTheEnginesSeconds) {
  request.process_seconds = 12.5;
  auto verdict = verify_attempt(request, nullptr);
  EXPECT_DOUBLE_EQ(verdict.window.seconds, 12.5);
  payload("metrics.jsonl", mark("begin", "3"));
  verdict = verify_attempt(request, nullptr);
  EXPECT_EQ(verdict.window.source, Source::process);
  EXPECT_EQ(verdict.notes.size(), 1U);
  payload("metrics.jsonl", mark("begin", "3000000000") + mark("end", "5000000000"));
  EXPECT_DOUBLE_EQ(verify_attempt(request, nullptr).window.seconds, 2);
}

}  // namespace
}  // namespace campaign::testing
