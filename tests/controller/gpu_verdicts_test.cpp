// What the sampler saw on a run's GPUs decides about its result: a whole run, by the stand-in
// library.
#include <gmock/gmock.h>

#include <fstream>

#include "campaign/results/acceptance.hpp"
#include "campaign/state/files.hpp"
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
  struct Killed {};

  // `left`: what a controller that was killed left of the first attempt.
  using Left = std::function<AttemptPtr()>;
  const campaign::RunState& run(const std::string& telemetry, const Left& left = {}) {
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
    SequencerInput input{.context = &bench_->context()};
    if (left) input.recovered.push_back(left());
    Sequencer sequencer(std::move(input));
    const SequenceEnd end = bench_->loop().run(sequencer.run());
    if (end.fatal) std::rethrow_exception(end.fatal);
    return bench_->state("one.c01");
  }
  std::string text(const std::string& file) const {
    std::ifstream in(bench_->context().results.folder / file);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  campaign::RunRecord record(const std::string& folder) const {
    return campaign::read_run_record(text(folder + "/run.json"));
  }

  // The first attempt, which has ended and was sampled, as the next controller takes it up.
  AttemptPtr ended() {
    RunContext& context = bench_->context();
    AttemptPtr attempt = bench_->attempt();
    attempt->devices = testing::made_devices({"GPU-a"});
    attempt->container_name.clear();
    bench_->loop().run(bench_->local().prepare(*attempt));
    context.ledger->append({campaign::event::Claimed{.run = attempt->run, .attempt = 1},
                            campaign::event::Starting{.run = attempt->run,
                                                      .attempt = 1,
                                                      .pid = attempt->pid,
                                                      .pid_start = attempt->pid_start}});
    attempt->started = true;
    bench_->loop().run(bench_->local().start(*attempt));
    while (!bench_->loop().run(bench_->local().ended(*attempt)))
      bench_->loop().run(container::sleep_for(0.02));
    campaign::make_scratch_folders(context.results.folder / "telemetry");
    std::ofstream(context.results.telemetry(attempt->name())) << "sampled\n";
    attempt->entry = Entry::collect;
    attempt->resumed = attempt->claimed = attempt->prepared = true;
    attempt->ending = {};
    return attempt;
  }
  campaign::CollectRequest request(const Attempt& attempt) const {
    return {.folder = bench_->context().results,
            .attempt = attempt.name(),
            .collect = &bench_->context().campaign->collect,
            .processes = std::nullopt,
            .stages = {}};
  }

  testing::NvmlScript script_{""};
  std::unique_ptr<Bench> bench_;
  std::optional<double> rest_when_ready_;  // how long GPU-z was to be measured at rest then
};

constexpr char hot[] = "gpu 0 uuid=GPU-a power=300000 utilisation=99 reasons=64\n";
constexpr char cool[] = "gpu 0 uuid=GPU-a power=300000 utilisation=99 reasons=0\n";
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

TEST_F(VerdictOnARun, OfAControllerThatWasKilledBeforeItWasJournalledStands) {
  script_.becomes(cool);
  const campaign::RunState& state = run(", on_throttle: rerun", [&] {
    AttemptPtr attempt = ended();
    campaign::keep_failed_attempt(request(*attempt), {.run = attempt->run,
                                                      .attempt = 1,
                                                      .state = "failed",
                                                      .cls = FailureClass::contaminated,
                                                      .message = "throttled"});
    return attempt;
  });
  EXPECT_EQ(state.phase, RunPhase::completed) << state.message;
  EXPECT_EQ(state.attempt, 2);
  EXPECT_EQ(state.reruns, 1);
  EXPECT_EQ(state.failures, 0);
  EXPECT_EQ(record("attempts/one.c01.a1").message, "throttled");
  EXPECT_EQ(text("attempts/one.c01.a1/telemetry.jsonl"), "sampled\n");
  EXPECT_TRUE(record("raw/one.c01").valid);
  EXPECT_TRUE(std::filesystem::is_empty(bench_->context().results.folder / "keeping"));
}

TEST_F(VerdictOnARun, OfAControllerThatWasKilledInItsAcceptanceStandsWithItsSamples) {
  script_.becomes(cool);
  const campaign::RunState& state = run("", [&] {
    AttemptPtr attempt = ended();
    const campaign::RunRecord flagged{.run = attempt->run,
                                      .attempt = 1,
                                      .state = "completed",
                                      .valid = false,
                                      .invalid_reason = "contaminated: throttled (hw_thermal)"};
    EXPECT_THROW(campaign::accept_attempt(request(*attempt), flagged,
                                          [](const std::string& step) {
                                            if (step == "moved telemetry.jsonl") throw Killed{};
                                          }),
                 Killed);
    return attempt;
  });
  EXPECT_EQ(state.phase, RunPhase::completed) << state.message;
  EXPECT_EQ(state.attempt, 1);
  EXPECT_FALSE(record("raw/one.c01").valid);
  EXPECT_EQ(record("raw/one.c01").invalid_reason, "contaminated: throttled (hw_thermal)");
  EXPECT_EQ(text("raw/one.c01/telemetry.jsonl"), "sampled\n");
}

}  // namespace
}  // namespace controller::test
