#include "campaign/config/expression.hpp"
#include "campaign/metrics/text.hpp"
#include "tests/campaign/results_fixture.hpp"

namespace campaign::testing {
namespace {

using Source = MetricSpec::Source;

class Metrics : public ResultsTest {
 protected:
  double only(const Verdict& verdict) {
    EXPECT_EQ(verdict.cls, FailureClass::none) << verdict.message;
    return verdict.metrics.size() == 2 ? verdict.metrics[0].value : -1;
  }
  void expect(FailureClass cls, const std::string& part) {
    const auto verdict = verify();
    EXPECT_EQ(verdict.cls, cls) << verdict.message;
    EXPECT_NE(verdict.message.find(part), std::string::npos) << verdict.message;
    EXPECT_EQ(verdict.metrics.size(), 1U);
  }
};

TEST_F(Metrics, AlwaysHoldTheSecondsOfTheWindow) {
  const auto verdict = verify();
  ASSERT_EQ(verdict.metrics.size(), 1U);
  EXPECT_EQ(verdict.metrics[0].name, "measure_seconds");
  EXPECT_EQ(verdict.metrics[0].unit, "s");
  EXPECT_EQ(verdict.metrics[0].better, Direction::lower);
  EXPECT_DOUBLE_EQ(verdict.metrics[0].value, 10);
}

TEST_F(Metrics, ADeclaredMeasureSecondsReplacesOurs) {
  metric(Source::stage, "measure");
  collect.metrics[0].name = "measure_seconds";
  collect.metrics[0].primary = true;
  const auto verdict = verify();
  ASSERT_EQ(verdict.metrics.size(), 1U);
  EXPECT_TRUE(verdict.metrics[0].primary);
  EXPECT_EQ(verdict.metrics[0].unit, "s");
}

TEST_F(Metrics, FromJsonAreReadAtThePointer) {
  payload("out/result.json", R"({"a/b":{"c":[1, 2.5]}})");
  metric(Source::json, "out/*.json#/a~1b/c/1");
  EXPECT_DOUBLE_EQ(only(verify()), 2.5);
}

TEST_F(Metrics, FromSeveralJsonFilesAreTheirMean) {
  payload("process_0.json", R"({"tokens_per_second":100})");
  payload("process_1.json", R"({"tokens_per_second":300})");
  metric(Source::json, "process_*.json#/tokens_per_second");
  EXPECT_DOUBLE_EQ(only(verify()), 200);
}

TEST_F(Metrics, WithoutAFileOrMemberAreMissing) {
  metric(Source::json, "*.json#/tps");
  expect(FailureClass::missing_result, "no file matches *.json");
  payload("r.json", R"({"other":1})");
  expect(FailureClass::missing_result, "metric m0: r.json has no /tps");
  payload("s.json", R"({"tps":1})");
  expect(FailureClass::missing_result, "r.json has no /tps");
}

TEST_F(Metrics, ThatAreNoFiniteNumbersAreInvalid) {
  metric(Source::json, "r.json#/tps");
  for (const char* value : {"null", "true", "\"12\"", "[1]", "{}"}) {
    payload("r.json", std::string("{\"tps\":") + value + "}");
    expect(FailureClass::invalid_result, "is no finite number");
  }
  for (const char* value : {"NaN", "Infinity", "1e999", "1", ""}) {
    payload("r.json", std::string("{\"tps\":") + value);
    expect(FailureClass::invalid_result, "is no JSON");
  }
}

TEST_F(Metrics, WithABadPointerAreMissingNotACrash) {
  payload("r.json", R"({"a":[1]})");
  for (const char* pointer : {"no-slash", "/a/x", "/a/9", "/a/~2", "/a/-"}) {
    collect.metrics.clear();
    metric(Source::json, std::string("r.json#") + pointer);
    EXPECT_EQ(verify().cls, FailureClass::missing_result) << pointer;
  }
}

TEST_F(Metrics, SurviveDeeplyNestedJson) {
  payload("r.json", std::string(200000, '[') + std::string(200000, ']'));
  metric(Source::json, "r.json#/0");
  EXPECT_EQ(verify().cls, FailureClass::invalid_result);
}

TEST_F(Metrics, FromTheLogAreTheLastMatch) {
  control("stdout.log", "tps: 1.5\nnoise\ntps: 2.5 tps: 3.5\nend\n");
  metric(Source::regex, "tps: ([0-9.]+)");
  EXPECT_DOUBLE_EQ(only(verify()), 3.5);
}

TEST_F(Metrics, FromTheLogMayUseDigitClassesAndNoGroup) {
  control("stdout.log", "took 12 s\nat -4.5e1\n");
  metric(Source::regex, "^took (\\d+)");
  EXPECT_DOUBLE_EQ(only(verify()), 12);
  collect.metrics.clear();
  metric(Source::regex, "-[\\d.e]+");
  EXPECT_DOUBLE_EQ(only(verify()), -45);
}

TEST_F(Metrics, FromTheLogAreFoundAcrossBlocksOfAHugeLog) {
  std::string log = "value=42\n";
  for (int i = 0; i < 40000; ++i)
    log += "a line that does not match, number " + std::to_string(i) + "\n";
  log += std::string(300000, 'z');
  control("stdout.log", log);
  metric(Source::regex, "value=([0-9]+)");
  EXPECT_DOUBLE_EQ(only(verify()), 42);
}

TEST_F(Metrics, FromTheLogThatAreAbsentOrNoNumbersAreRefused) {
  metric(Source::regex, "tps: (.*)");
  expect(FailureClass::missing_result, "no stdout.log");
  control("stdout.log", "nothing\n");
  expect(FailureClass::missing_result, "no line of stdout.log matches");
  control("stdout.log", "tps: fast\n");
  expect(FailureClass::invalid_result, "matches 'fast'");
  control("stdout.log", "tps: nan\n");
  expect(FailureClass::invalid_result, "no finite number");
  collect.metrics.clear();
  metric(Source::regex, "tps: (");
  expect(FailureClass::invalid_result, "the regular expression");
  EXPECT_NE(Expression("(").problem(), "");
  EXPECT_EQ(Expression("[]\\d]+(a)").problem(), "");
}

TEST_F(Metrics, OfStagesAreTheirSeconds) {
  request.stages = {{"prepare", 0.25}};
  metric(Source::stage, "prepare");
  const auto verdict = verify();
  EXPECT_DOUBLE_EQ(only(verdict), 0.25);
  EXPECT_EQ(verdict.metrics[0].unit, "s");
  EXPECT_EQ(verdict.metrics[0].better, Direction::lower);
}

TEST_F(Metrics, OfAStageToComeAreAddedLaterAndOnce) {
  metric(Source::stage, "teardown");
  auto verdict = verify();
  EXPECT_EQ(verdict.cls, FailureClass::none);
  EXPECT_EQ(verdict.metrics.size(), 1U);
  add_stage_metrics(verdict.metrics, collect, {{"teardown", 2.0}});
  add_stage_metrics(verdict.metrics, collect, {{"teardown", 3.0}});
  ASSERT_EQ(verdict.metrics.size(), 2U);
  EXPECT_DOUBLE_EQ(verdict.metrics[1].value, 2);
}

TEST_F(Metrics, OfAStageThatDoesNotExistAreMissing) {
  metric(Source::stage, "mesure");
  expect(FailureClass::missing_result, "there is no stage mesure");
}

TEST_F(Metrics, ThatCanBeReadAreGivenBesideThoseThatCannot) {
  payload("r.json", R"({"tps":5})");
  metric(Source::json, "gone.json#/x");
  metric(Source::json, "r.json#/tps");
  const auto verdict = verify();
  EXPECT_EQ(verdict.cls, FailureClass::missing_result);
  ASSERT_EQ(verdict.metrics.size(), 2U);
  EXPECT_EQ(verdict.metrics[0].name, "m1");
}

TEST(Glob, MatchesWithinComponentsAndAcrossThem) {
  EXPECT_TRUE(glob_matches("*.json", "a.json"));
  EXPECT_FALSE(glob_matches("*.json", "x/a.json"));
  EXPECT_FALSE(glob_matches("*", ".completed_0"));
  EXPECT_TRUE(glob_matches(".completed_*", ".completed_0"));
  EXPECT_TRUE(glob_matches("**/a.json", "a.json"));
  EXPECT_TRUE(glob_matches("**/a.json", "x/y/a.json"));
  EXPECT_TRUE(glob_matches("x/**", "x/y/z"));
  EXPECT_FALSE(glob_matches("x/**/b", "y/b"));
  EXPECT_TRUE(glob_matches("./x//[ab].t?t", "x/b.txt"));
  EXPECT_FALSE(glob_matches("**/a", ".git/a"));
}

TEST(Text, ReplacesInvalidUtf8ByMaximalParts) {
  EXPECT_EQ(valid_utf8("gr\xC3\xBC\xC3\x9F"), "gr\xC3\xBC\xC3\x9F");
  EXPECT_EQ(valid_utf8("a\xFFz"), "a\xEF\xBF\xBDz");
  EXPECT_EQ(valid_utf8("\xE2\x82"), "\xEF\xBF\xBD");
  EXPECT_EQ(valid_utf8("\xED\xA0\x80"), "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
  EXPECT_EQ(valid_utf8("\xF0\x9F\x98\x80"), "\xF0\x9F\x98\x80");
}

TEST(Text, ShowsControlCharactersHarmlessly) {
  EXPECT_EQ(shown("a\nb\x1b[2J"), "a\\x0ab\\x1b[2J");
  EXPECT_EQ(shown(std::string(500, 'x')).size(), 203U);
}

TEST(Text, ReadsWholeNumbersOnly) {
  EXPECT_EQ(parse_number(" +1.5 "), 1.5);
  EXPECT_EQ(parse_number("-2e3"), -2000);
  for (const char* bad : {"", " ", "1,5", "1.5x", "+-1", "0x10"})
    EXPECT_FALSE(parse_number(bad)) << bad;
}

}  // namespace
}  // namespace campaign::testing
