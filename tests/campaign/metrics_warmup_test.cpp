#include "tests/campaign/results_fixture.hpp"

namespace campaign::testing {
namespace {

class WarmupTest : public ResultsTest {
 protected:
  // Requests that ended at 1.1, 1.2 ... s, and a measure window from 3 to 4 s.
  void warmed_up_with(const std::vector<double>& latencies) {
    std::string lines;
    std::int64_t at = 1'000'000'000;
    for (const double latency : latencies)
      lines += R"({"kind":"request","latency_s":)" + std::to_string(latency) + R"(,"mono_ns":)" +
               std::to_string(at += 100'000'000) + "}\n";
    lines += R"({"kind":"phase","name":"measure","mark":"begin","mono_ns":3000000000})";
    lines += "\n";
    lines += R"({"kind":"request","latency_s":9,"mono_ns":3500000000})";
    lines += "\n";
    lines += R"({"kind":"phase","name":"measure","mark":"end","mono_ns":4000000000})";
    payload("metrics.jsonl", lines + "\n");
  }
};

TEST_F(WarmupTest, ThatConvergedLeavesNoNote) {
  warmed_up_with({0.5, 0.101, 0.1, 0.1, 0.099, 0.1});
  EXPECT_TRUE(verify().notes.empty());
}

TEST_F(WarmupTest, ThatDidNotConvergeIsNotedAndIsNoFailure) {
  warmed_up_with({0.1, 0.1, 0.1, 0.1, 0.2});
  const auto verdict = verify();
  EXPECT_EQ(verdict.cls, FailureClass::none);
  ASSERT_EQ(verdict.notes.size(), 1U);
  EXPECT_EQ(
      verdict.notes[0],
      "the warmup did not converge: the last 5 of 5 latencies vary by 33 % (below 5 % is warm)");
}

TEST_F(WarmupTest, OfFewerThanFiveRequestsIsNotJudged) {
  warmed_up_with({0.1, 0.9});
  EXPECT_TRUE(verify().notes.empty());
}

}  // namespace
}  // namespace campaign::testing
