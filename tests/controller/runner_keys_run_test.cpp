// Limits of time, windows, collection, hooks and workers, through campaignctl on the real engine.
#include <gmock/gmock.h>

#include <set>
#include <sstream>

#include "tests/support/controller/runner_keys.hpp"

namespace controller::test {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

json metric(const json& record, const std::string& name) {
  for (const auto& each : record.at("metrics"))
    if (each.at("name") == name) return each.at("value");
  return nullptr;
}

double length_of(const json& record) {
  return record.at("finished_utc").get<double>() - record.at("started_utc").get<double>();
}

TEST_F(RunnerKeys, TimeoutSendsTermAndGivesGrace) {
  const Ended ended =
      run_.up(campaign({.keys = "network: none\ntimeout: 1\nstop_grace_period: 30",
                        .script = "trap 'echo ended by TERM; exit 7' TERM\nsleep 600 & wait"}));
  EXPECT_EQ(ended.code, 1) << ended.output;
  const json record = run_.failed("one.c01.a1");
  EXPECT_EQ(record.at("class"), "timeout");
  EXPECT_EQ(record.at("exit_code"), 7);
  EXPECT_EQ(run_.of_attempt("one.c01.a1", "stdout.log"), "ended by TERM\n");
  EXPECT_LT(length_of(record), 20);
}

TEST_F(RunnerKeys, TimeoutKillsWhatIgnoresTermAfterTheGrace) {
  const Ended ended =
      run_.up(campaign({.keys = "network: none\ntimeout: 1\nstop_grace_period: 1",
                        .script = "trap '' TERM\nsetsid sleep 600 &\nwhile :; do sleep 1; done"}));
  EXPECT_EQ(ended.code, 1) << ended.output;
  const json record = run_.failed("one.c01.a1");
  EXPECT_EQ(record.at("class"), "timeout");
  EXPECT_GT(length_of(record), 1.9);
}

TEST_F(RunnerKeys, SilenceIsAStall) {
  const Ended ended =
      run_.up(campaign({.keys = "network: none\nstall_timeout: 1\nstop_grace_period: 1",
                        .script = "echo start\nsleep 600"}));
  EXPECT_EQ(ended.code, 1) << ended.output;
  EXPECT_EQ(run_.failed("one.c01.a1").at("class"), "stalled");
}

TEST_F(RunnerKeys, MetricsAreASignOfLife) {
  const Ended ended = run_.up(campaign(
      {.keys = "network: none\nstall_timeout: 2",
       .script = "for i in 1 2 3 4 5 6; do sleep 0.6; echo '{}' >> $CAMPAIGN_METRICS_FILE; done"}));
  EXPECT_EQ(ended.code, 0) << ended.output;
}

TEST_F(RunnerKeys, ProcessesMustLeaveTheirFiles) {
  const Ended ended =
      run_.up(campaign({.keys = "network: none\nprocesses: 2",
                        .script = "echo '{}' > $CAMPAIGN_RESULTS_DIR/process_0.json"}));
  EXPECT_EQ(ended.code, 1) << ended.output;
  const json record = run_.failed("one.c01.a1");
  EXPECT_EQ(record.at("class"), "missing_result");
  EXPECT_THAT(record.at("message"), HasSubstr("process_1.json"));
}

TEST_F(RunnerKeys, WindowIsWhatThePatternsBound) {
  output_of({.keys = "network: none\nwindow: {begin: '^go$', end: '^stop [0-9]+'}",
             .script = "sleep 0.4; echo go; sleep 0.2; echo stop 1; sleep 0.4"});
  const json record = run_.record("one.c01");
  EXPECT_EQ(record.at("window").at("source"), "pattern");
  EXPECT_GE(record.at("window").at("seconds"), 0.2);
  EXPECT_LT(record.at("window").at("seconds"), record.at("duration").get<double>() - 0.7);
  EXPECT_EQ(metric(record, "measure_seconds"), record.at("window").at("seconds"));
}

TEST_F(RunnerKeys, PayloadsOwnMarksAreTheWindow) {
  output_of({.keys = "network: none\nwindow: {begin: '^go$', end: '^stop'}", .script = R"(echo go
mark() { echo "{\"kind\":\"phase\",\"name\":\"measure\",\"mark\":\"$1\",\"mono_ns\":$2}" >> $CAMPAIGN_METRICS_FILE; }
sleep 0.1
now=$(awk '{printf "%.0f", $1 * 1000000000}' /proc/uptime)
mark begin $now
mark end $((now + 1000000))
sleep 0.1
echo stop)"});
  const json window = run_.record("one.c01").at("window");
  EXPECT_EQ(window.at("source"), "phase");
  EXPECT_DOUBLE_EQ(window.at("seconds"), 0.001);
}

constexpr char collecting[] = R"yaml(execution: {cycles: 1}
collect:
  required: ["out/*.txt"]
  optional: [absent.txt]
  max_bytes: 1k
  metrics:
    speed: {json: "*.json#/a/1", unit: m/s, better: higher, primary: true}
    said: {regex: "said ([0-9.]+)", unit: words}
    work: {stage: measure}
)yaml";

TEST_F(RunnerKeys, MetricsComeFromFilesOutputAndStages) {
  output_of({.keys = "network: none",
             .script = R"(cd $CAMPAIGN_RESULTS_DIR
mkdir out && echo x > out/a.txt
echo '{"a":[1,42.5]}' > r.json
echo said 7.5)",
             .top = collecting});
  const json record = run_.record("one.c01");
  EXPECT_EQ(metric(record, "speed"), 42.5);
  EXPECT_EQ(metric(record, "said"), 7.5);
  EXPECT_EQ(metric(record, "work"), record.at("stages").at("measure"));
}

TEST_F(RunnerKeys, RequiredFileThatIsMissingAndTooMuchAreFailures) {
  const Ended missing =
      run_.up(campaign({.keys = "network: none", .script = "true", .top = collecting}));
  EXPECT_EQ(missing.code, 1);
  EXPECT_EQ(run_.failed("one.c01.a1").at("class"), "missing_result");
  EXPECT_THAT(missing.output, HasSubstr("out/*.txt"));
  run_.write("campaign.yaml", campaign({.keys = "network: none",
                                        .script = R"(cd $CAMPAIGN_RESULTS_DIR
mkdir out && echo x > out/a.txt; echo '{"a":[1,2]}' > r.json; echo said 1
head -c 2000 /dev/zero > big)",
                                        .top = collecting}));
  const Ended large = run_.run({"up", "campaign.yaml", "--new"});
  EXPECT_EQ(large.code, 1);
  EXPECT_EQ(run_.failed("one.c01.a1").at("class"), "invalid_result") << large.output;
}

TEST_F(RunnerKeys, HooksRunInTheirOrderOnTheHost) {
  const std::string hook = "[sh, -c, 'echo \"$0 $CAMPAIGN_RUN_ID\" >> log', ";
  output_of({.keys = "network: none",
             .script = "true",
             .top = "execution: {cycles: 2}\nhooks: {setup: " + hook + "setup], prepare: " + hook +
                    "prepare], conclude: " + hook + "\"conclude-{cycle}\"], cleanup: " + hook +
                    "cleanup]}\n"});
  EXPECT_EQ(run_.read("log"),
            "setup \nprepare one.c01\nconclude-1 one.c01\nprepare one.c02\nconclude-2 "
            "one.c02\ncleanup \n");
}

TEST_F(RunnerKeys, PrepareHookThatFailsIsInfraAndSaysWhere) {
  const Ended ended =
      run_.up(campaign({.keys = "network: none",
                        .script = "true",
                        .top = "execution: {cycles: 1, retries: {infra: 1, backoff_seconds: 0}}\n"
                               "hooks: {prepare: [sh, -c, 'echo no disk; exit 4']}\n"}));
  EXPECT_EQ(ended.code, 1) << ended.output;
  const json record = run_.failed("one.c01.a2");
  EXPECT_EQ(record.at("class"), "infra");
  EXPECT_THAT(record.at("message"), HasSubstr("hooks.prepare (sh) ended with exit code 4"));
  EXPECT_EQ(run_.of_attempt("one.c01.a2", "hooks.log"), "no disk\n");
}

TEST_F(RunnerKeys, PilotRunsFirstAndIsNoResult) {
  output_of({.keys = "network: none\nvolumes: [\".:/v\"]",
             .script = "echo $CAMPAIGN_PHASE $CAMPAIGN_RUN_ID >> /v/seen",
             .top = "execution: {cycles: 2, pilot: true}\n"});
  EXPECT_EQ(run_.read("seen"), "pilot one.p\nmeasure one.c01\nmeasure one.c02\n");
  EXPECT_FALSE(std::filesystem::exists(run_.results() / "raw/one.p"));
}

TEST_F(RunnerKeys, WorkersRunBesideEachOtherAndRecordIt) {
  run_.make_fifo("a");
  run_.make_fifo("b");
  output_of({.keys = "network: none\nvolumes: [\".:/v\"]",
             .script = R"(if [ $CAMPAIGN_CYCLE = 1 ]; then echo >> /v/a; read x < /v/b
else echo >> /v/b; read x < /v/a; fi)",
             .top = "execution: {cycles: 2, workers: 2}\n"});
  EXPECT_EQ(run_.record("one.c01").at("neighbours"), json({"one.c02"}));
  EXPECT_EQ(run_.record("one.c02").at("neighbours"), json({"one.c01"}));
}

TEST_F(RunnerKeys, OverlapAlwaysCompletesEveryRunOnce) {
  output_of({.keys = "network: none\nvolumes: [\".:/v\"]",
             .script = "echo $CAMPAIGN_RUN_ID >> /v/seen",
             .top = "execution: {cycles: 6, overlap: always, workers: 2}\n"});
  std::istringstream lines(run_.read("seen"));
  std::multiset<std::string> seen;
  for (std::string line; std::getline(lines, line);) seen.insert(line);
  EXPECT_EQ(seen, (std::multiset<std::string>{"one.c01", "one.c02", "one.c03", "one.c04", "one.c05",
                                              "one.c06"}));
  EXPECT_EQ(run_.record("one.c06").at("overlap"), "always");
}

TEST_F(RunnerKeys, GigabyteOfOutputIsCappedAndNotStalled) {
  output_of({.keys = "network: none\nstall_timeout: 30", .script = "head -c 1073741824 /dev/zero"});
  const json record = run_.record("one.c01");
  EXPECT_EQ(record.at("outcome").at("stdout").at("bytes"), 1073741824);
  EXPECT_LT(std::filesystem::file_size(run_.results() / "raw/one.c01/stdout.log"), 200u << 20);
  EXPECT_LT(length_of(record), 60);
}

}  // namespace
}  // namespace controller::test
