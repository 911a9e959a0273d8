// What the sampler saw on a run's GPUs decides about its result: a whole run, by the stand-in
// library.
#include <gmock/gmock.h>

#include <fstream>

#include "campaign/results/results.hpp"
#include "controller/supervise/host.hpp"
#include "controller/telemetry/recorder.hpp"
#include "tests/support/controller/bench.hpp"
#include "tests/support/controller/gpu_support.hpp"
#include "tests/support/controller/supervision.hpp"

namespace controller::test {
namespace {

using campaign::FailureClass;
using campaign::RunPhase;
using ::testing::Contains;
using ::testing::HasSubstr;

// Runs as processes, each with a device leased.
class LeasedRunner : public Runner {
 public:
  explicit LeasedRunner(Runner& runner) : runner_(runner) {}
  Task<> prepare(Attempt& attempt) override {
    attempt.devices = testing::made_devices({"GPU-a"});
    return runner_.prepare(attempt);
  }
  Task<> make_ready(Attempt& attempt) override {
    if (made_ready) made_ready();
    return runner_.make_ready(attempt);
  }
  Task<> warm_up(Attempt& attempt) override { return runner_.warm_up(attempt); }
  Task<> start(Attempt& attempt) override { return runner_.start(attempt); }
  Task<> adopt(Attempt& attempt) override { return runner_.adopt(attempt); }
  Task<bool> ended(Attempt& attempt) override { return runner_.ended(attempt); }
  Task<> stop(Attempt& attempt, const StopHow& how) override { return runner_.stop(attempt, how); }
  Task<> conclude(Attempt& attempt) override { return runner_.conclude(attempt); }
  Task<> remove(Attempt& attempt) override { return runner_.remove(attempt); }

  std::function<void()> made_ready;

 private:
  Runner& runner_;
};

class VerdictOnARun : public ::testing::Test {
 protected:
  const campaign::RunState& run(const std::string& telemetry) {
    bench_ = std::make_unique<Bench>(
        "name: k\ngpus: none\nthermal: {mode: off}\nio: {min_free: 0}\nexperiments: [{name: one}]\n"
        "execution: {cycles: 1, retries: {infra: 0, backoff_seconds: 0}}\n"
        "telemetry: {interval_ms: 20, sources: [payload, nvml]" +
        telemetry + "}\nrunner: {type: local, shell: true, command: 'sleep 0.6'}\n");
    supervise::test::Supervision supervision(bench_->loop());
    telemetry::Recorder recorder({.settings = &bench_->context().campaign->telemetry,
                                  .energy = &bench_->context().campaign->energy,
                                  .baseline_file = bench_->folder() / "baseline.json",
                                  .host_name = "h",
                                  .clock = bench_->context().clock,
                                  .results = bench_->context().results,
                                  .host = &supervision.host(),
                                  .wake = &bench_->wake(),
                                  .roots = {},
                                  .nvml = testing::stub_library});
    LeasedRunner runner(bench_->local());
    runner.made_ready = [&] {
      rest_when_ready_ = recorder.seconds_of_rest(testing::made_devices({"GPU-z"}));
    };
    bench_->context().recorder = &recorder;
    bench_->context().runner_of = [&](const Attempt&) -> Runner& { return runner; };
    const SequenceEnd end = bench_->run();
    if (end.fatal) std::rethrow_exception(end.fatal);
    return bench_->state("one.c01");
  }
  campaign::RunRecord record(const std::string& folder) const {
    std::ifstream file(bench_->context().results.folder / folder / "run.json");
    return campaign::read_run_record({std::istreambuf_iterator<char>(file), {}});
  }

  testing::NvmlScript script_{""};
  std::unique_ptr<Bench> bench_;
  std::optional<double> rest_when_ready_;  // how long GPU-z was to be measured at rest then
};

constexpr char hot[] = "gpu 0 uuid=GPU-a power=300000 utilisation=99 reasons=64\n";
constexpr char shared[] =
    "gpu 0 uuid=GPU-a power=300000 utilisation=99 reasons=0\nprocess 0 pid=1\n";
constexpr char idle[] = "gpu 0 uuid=GPU-a power=60000 utilisation=0 reasons=0\n";

TEST_F(VerdictOnARun, ThrottledOneIsFlagged) {
  script_.becomes(hot);
  EXPECT_EQ(run("").phase, RunPhase::completed);
  const campaign::RunRecord found = record("raw/one.c01");
  EXPECT_FALSE(found.valid);
  EXPECT_EQ(found.invalid_reason, "contaminated: throttled (hw_thermal)");
  EXPECT_THAT(found.notes, Contains(HasSubstr("throttled within the window: hw_thermal for")));
  EXPECT_GT(found.verdicts->held_down_s.at("hw_thermal"), 0.5);
}

TEST_F(VerdictOnARun, ThrottledOneIsKeptWhereTheCampaignSaysSo) {
  script_.becomes(hot);
  EXPECT_EQ(run(", on_throttle: keep").phase, RunPhase::completed);
  EXPECT_TRUE(record("raw/one.c01").valid);
}

TEST_F(VerdictOnARun, ThrottledOneIsRunAgainAndKeptAsInvalidAfterTheLastTime) {
  script_.becomes(hot);
  const campaign::RunState& state = run(", on_throttle: rerun, max_reruns: 2");
  EXPECT_EQ(state.phase, RunPhase::completed);
  EXPECT_EQ(state.attempt, 3);
  EXPECT_EQ(state.reruns, 2);
  EXPECT_EQ(state.failures, 0) << "retries of other classes are not used up";
  for (const char* attempt : {"attempts/one.c01.a1", "attempts/one.c01.a2"}) {
    EXPECT_EQ(record(attempt).cls, FailureClass::contaminated);
    EXPECT_FALSE(record(attempt).valid);
  }
  const campaign::RunRecord kept = record("raw/one.c01");
  EXPECT_FALSE(kept.valid);
  EXPECT_THAT(kept.notes, Contains(HasSubstr("run again 2 times")));
}

TEST_F(VerdictOnARun, OneBesideOthersOnItsDeviceIsContaminated) {
  script_.becomes(shared);
  EXPECT_EQ(run("").phase, RunPhase::completed);
  EXPECT_EQ(record("raw/one.c01").invalid_reason, "contaminated: shared device");
}

TEST_F(VerdictOnARun, WhileOneIsMadeReadyTheMachineIsNotAtRest) {
  script_.becomes(hot);
  run("}\nenergy: {enabled: true, baseline: {duration_sec: 1}");
  EXPECT_EQ(rest_when_ready_, 0.0);
}

TEST_F(VerdictOnARun, OneThatNeverUsedItsDeviceHasAnInvalidResult) {
  script_.becomes(idle);
  const campaign::RunState& state = run("");
  EXPECT_EQ(state.phase, RunPhase::failed);
  EXPECT_EQ(state.cls, FailureClass::invalid_result);
  EXPECT_THAT(state.message, HasSubstr("ever seen on GPU-a"));
}

}  // namespace
}  // namespace controller::test
