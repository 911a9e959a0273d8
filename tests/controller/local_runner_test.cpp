// Local runs for real: the launcher, process groups, adoption.
#include "controller/runners/local_runner.hpp"

#include <gmock/gmock.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "tests/support/controller/bench.hpp"

namespace controller::test {
namespace {

using campaign::FailureClass;
using campaign::RunPhase;

std::string campaign_of(const std::string& script, const std::string& keys = "") {
  return "name: k\ngpus: none\nio: {min_free: 0}\nexperiments: [{name: one}]\n"
         "execution: {cycles: 1, retries: {infra: 0}}\n"
         "runner:\n  type: local\n  stop_grace_period: 1\n" +
         keys + "  shell: true\n  command: '" + script + "'\n";
}

std::string text_of(const std::filesystem::path& file) {
  std::ifstream in(file);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

class LocalRun : public ::testing::Test {
 protected:
  const campaign::RunState& run(const std::string& script, const std::string& keys = "") {
    bench_ = std::make_unique<Bench>(campaign_of(script, keys));
    const SequenceEnd end = bench_->run();
    if (end.fatal) std::rethrow_exception(end.fatal);
    return bench_->state("one.c01");
  }
  std::string result(const std::string& file) const {
    return text_of(bench_->folder() / "results/raw/one.c01" / file);
  }

  std::unique_ptr<Bench> bench_;
};

TEST_F(LocalRun, CompletesWithOutputAndResults) {
  const auto& state =
      run("echo out; echo err >&2; echo r > $CAMPAIGN_RESULTS_DIR/file; cat $CAMPAIGN_CONFIG");
  EXPECT_EQ(state.phase, RunPhase::completed) << state.message;
  EXPECT_EQ(result("stdout.log"), "out\n{}\n");
  EXPECT_EQ(result("stderr.log"), "err\n");
  EXPECT_EQ(result("file"), "r\n");
}

TEST_F(LocalRun, RunsInTheCampaignsFolderWithoutInput) {
  run("pwd; readlink /proc/self/fd/0");
  EXPECT_EQ(result("stdout.log"), bench_->folder().string() + "\n/dev/null\n");
}

TEST_F(LocalRun, ExitCodeAndSignalAreToldApart) {
  const auto& failed = run("exit 3");
  EXPECT_EQ(failed.cls, FailureClass::payload);
  EXPECT_EQ(failed.exit_code, 3);
  const auto& killed = run("kill -SEGV $$$$");
  EXPECT_EQ(killed.cls, FailureClass::payload);
  EXPECT_EQ(killed.signal, SIGSEGV);
}

TEST_F(LocalRun, MissingProgramIsAConfigFailure) {
  bench_ = std::make_unique<Bench>(
      "name: k\ngpus: none\nio: {min_free: 0}\nexperiments: [{name: one}]\nrunner: {type: local, "
      "command: [no-such-program]}\n");
  bench_->run();
  EXPECT_EQ(bench_->state("one.c01").cls, FailureClass::config);
  EXPECT_THAT(bench_->state("one.c01").message, ::testing::HasSubstr("no-such-program"));
}

TEST_F(LocalRun, TimeoutKillsEveryDescendantAlsoThoseInSessionsOfTheirOwn) {
  const auto& state =
      run("trap \"\" TERM; setsid sleep 1000 & echo $! > pids; (setsid setsid sleep 1000 & echo $! "
          ">> pids); "
          "while :; do sleep 1; done",
          "  timeout: 0.5\n");
  EXPECT_EQ(state.cls, FailureClass::timeout) << state.message;
  std::istringstream pids(text_of(bench_->folder() / "pids"));
  int seen = 0;
  for (std::int64_t pid = 0; pids >> pid; ++seen)
    EXPECT_FALSE(process_alive(pid, process_start_time(pid))) << pid;
  EXPECT_EQ(seen, 2);
}

TEST_F(LocalRun, LaunchSeesTheCampaignLayoutAndItsResultsAreCollected) {
  const auto& state =
      run("echo $CAMPAIGN_CONFIG $CAMPAIGN_RESULTS_DIR $CAMPAIGN_METRICS_FILE; ls $EXCHANGE; cat "
          "$EXCHANGE/config.yaml; "
          "echo r > $EXCHANGE/results/file",
          "  launch: [env, 'EXCHANGE={exchange}', sh, -c, 'exec \"$@\"', sh]\n");
  ASSERT_EQ(state.phase, RunPhase::completed) << state.message;
  EXPECT_EQ(result("stdout.log"),
            "/campaign/config.yaml /campaign/results "
            "/campaign/results/metrics.jsonl\nconfig.yaml\nhome\nresults\n{}\n");
  EXPECT_EQ(result("file"), "r\n");
}

TEST_F(LocalRun, EmptyProcessListNeedsNoResultButProcessesDo) {
  EXPECT_EQ(run("true").phase, RunPhase::completed);
  EXPECT_EQ(run("true", "  processes: 1\n").cls, FailureClass::missing_result);
}

// The runner alone, step by step.
class LocalSteps : public ::testing::Test {
 protected:
  explicit LocalSteps(const std::string& script = "echo ran > $CAMPAIGN_RESULTS_DIR/file; exit 5")
      : bench_(campaign_of(script)), attempt_(bench_.attempt()) {}
  void await_end(LocalRunner& runner) {
    while (!attempt_->exit_seen) bench_.loop().run(bench_.wake().wait(10));
    EXPECT_TRUE(bench_.loop().run(runner.ended(*attempt_)));
  }
  bool ran() const { return std::filesystem::exists(attempt_->paths.results / "file"); }
  std::unique_ptr<LocalRunner> another() {
    return std::make_unique<LocalRunner>(LocalRunnerParts{
        .payload = bench_.payload(), .launcher = LAUNCHER_PATH, .wake = &bench_.wake()});
  }

  Bench bench_;
  AttemptPtr attempt_;
};

TEST_F(LocalSteps, NothingRunsBeforeTheGateIsOpen) {
  bench_.loop().run(bench_.local().prepare(*attempt_));
  EXPECT_TRUE(process_alive(attempt_->pid, attempt_->pid_start));
  bench_.loop().run(bench_.local().remove(*attempt_));
  EXPECT_FALSE(process_alive(attempt_->pid, attempt_->pid_start));
  EXPECT_FALSE(ran());
}

TEST_F(LocalSteps, ControllerThatDiesAtTheGateStartsNothing) {
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    auto runner = another();
    container::test::Loop loop;
    loop.run(runner->prepare(*attempt_));
    std::ofstream(bench_.folder() / "pid")
        << attempt_->pid << ' ' << attempt_->pid_start << std::flush;
    _exit(0);
  }
  waitpid(child, nullptr, 0);
  std::istringstream(text_of(bench_.folder() / "pid")) >> attempt_->pid >> attempt_->pid_start;
  ASSERT_GT(attempt_->pid, 0);
  const auto runner = another();
  bench_.loop().run(runner->adopt(*attempt_));
  await_end(*runner);
  EXPECT_FALSE(attempt_->ending.known);
  EXPECT_FALSE(ran());
}

TEST_F(LocalSteps, AnotherRunnerAdoptsByPid) {
  bench_.loop().run(bench_.local().prepare(*attempt_));
  attempt_->started = true;
  bench_.loop().run(bench_.local().start(*attempt_));
  const auto runner = another();
  bench_.loop().run(runner->adopt(*attempt_));
  await_end(*runner);
  EXPECT_EQ(attempt_->ending.exit_code, 5);
  EXPECT_TRUE(ran());
}

TEST_F(LocalSteps, OutcomeFileDecidesWhenTheProcessIsGone) {
  bench_.loop().run(bench_.local().prepare(*attempt_));
  bench_.loop().run(bench_.local().start(*attempt_));
  await_end(bench_.local());
  attempt_->ending = {};
  attempt_->exit_seen = false;
  const auto runner = another();
  bench_.loop().run(runner->adopt(*attempt_));
  EXPECT_TRUE(attempt_->exit_seen);
  EXPECT_TRUE(bench_.loop().run(runner->ended(*attempt_)));
  EXPECT_EQ(attempt_->ending.exit_code, 5);
}

class LocalStop : public LocalSteps {
 protected:
  LocalStop()
      : LocalSteps("trap \"\" TERM; echo > $CAMPAIGN_RESULTS_DIR/file; while :; do sleep 1; done") {
  }
};

TEST_F(LocalStop, AdoptedProcessIsKilledInAHurry) {
  bench_.loop().run(bench_.local().prepare(*attempt_));
  attempt_->started = true;
  bench_.loop().run(bench_.local().start(*attempt_));
  const auto runner = another();
  bench_.loop().run(runner->adopt(*attempt_));
  while (!ran()) bench_.loop().run(bench_.wake().wait(0.01));
  const Runner::StopHow how{.grace = 600, .hurry = [] { return true; }};
  bench_.loop().run(runner->stop(*attempt_, how), 30);
  EXPECT_FALSE(process_alive(attempt_->pid, attempt_->pid_start));
  EXPECT_EQ(attempt_->ending.signal, SIGKILL);
}

}  // namespace
}  // namespace controller::test
