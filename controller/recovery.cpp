#include "controller/recovery.hpp"

#include <filesystem>

#include "campaign/config/value.hpp"
#include "campaign/state/files.hpp"
#include "container/exec.hpp"
#include "container/labels.hpp"
#include "controller/errors.hpp"
#include "controller/gpu/broker.hpp"
#include "controller/process.hpp"
#include "controller/runners/docker_spec.hpp"

namespace controller {

namespace fs = std::filesystem;
using campaign::Observed;
using campaign::ReconcileStep;
using campaign::RunPhase;
using campaign::RunState;

namespace {

std::string label_of(const container::ContainerSummary& summary, const char* key) {
  const auto found = summary.labels.find(key);
  return found == summary.labels.end() ? "" : found->second;
}

Observed::State observed_state(container::ContainerStatus status) {
  switch (status) {
    case container::ContainerStatus::created:
      return Observed::State::created;
    case container::ContainerStatus::paused:
      return Observed::State::paused;
    case container::ContainerStatus::removing:
      return Observed::State::removing;
    case container::ContainerStatus::dead:
      return Observed::State::dead;
    case container::ContainerStatus::exited:
      return Observed::State::exited;
    default:
      return Observed::State::running;
  }
}

bool in_flight(const RunState& state) {
  return state.phase == RunPhase::initialised || state.phase == RunPhase::running;
}

// The process of a local attempt: from the journal, or from what the launcher wrote first.
struct LocalProcess {
  std::int64_t pid = 0;
  std::uint64_t start = 0;
};
LocalProcess local_process(const RunState& state, const fs::path& ctl) {
  if (state.pid > 0) return {state.pid, state.pid_start};
  std::error_code error;
  if (!fs::exists(ctl / "begun", error)) return {};
  try {
    const campaign::Value begun = campaign::from_json(campaign::read_file(ctl / "begun"));
    const campaign::Value *pid = begun.find("pid"), *start = begun.find("pid_start");
    if (pid && start) return {pid->as_integer(), static_cast<std::uint64_t>(start->as_integer())};
  } catch (const std::exception&) {
    // A torn file is no witness: the outcome file decides.
  }
  return {};
}

campaign::FoundOnDisk look_on_disk(const RunContext& context, const std::string& run,
                                   const RunState& state) {
  campaign::FoundOnDisk found;
  const fs::path ctl = context.results.ctl(campaign::attempt_name(run, state.attempt));
  found.attempt = state.attempt;
  found.outcome = fs::exists(ctl / "outcome.json");
  if (state.host == context.host) {
    const LocalProcess process = local_process(state, ctl);
    found.process_alive =
        state.container.empty() && process.pid > 0 && process_alive(process.pid, process.start);
  }
  if (fs::exists(context.results.raw(run))) {
    const auto record = campaign::accepted_record(context.results, run);
    found.whole_in_raw = record.has_value();
    if (record) found.attempt = record->attempt;
  }
  return found;
}

// Results that were accepted before their record was durable, or whose record was cut off with its
// journal.
void look_for_accepted(const RunContext& context, campaign::ReconcileInput& input) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(context.results.folder / "raw", error)) {
    const std::string run = entry.path().filename();
    const RunState& state = input.fold->run(run);
    if (state.phase == RunPhase::completed || state.phase == RunPhase::aggregated ||
        input.on_disk.contains(run))
      continue;
    input.on_disk[run] = look_on_disk(context, run, state);
  }
}

// Execs have no list of their own: each container that is held alive is asked for those of runs in
// flight.
Task<> look_for_execs(container::Engine& engine, campaign::ReconcileInput& input) {
  for (const auto& [run, state] : input.fold->runs) {
    if (!in_flight(state) || state.service.empty()) continue;
    const std::string attempt = campaign::attempt_name(run, state.attempt);
    for (const Observed& each : input.containers)
      if (each.name == state.container && each.state == Observed::State::running &&
          co_await container::find_exec(engine, each.id, attempt))
        input.execs.insert(attempt);
  }
}

class Recovery {
 public:
  explicit Recovery(const RecoveryInput& input) : input_(input), context_(*input.context) {
    const campaign::Plan& plan = context_.manifest->plan;
    for (std::size_t i = 0; i < plan.runs.size(); ++i)
      index_[campaign::run_id(plan, plan.runs[i])] = i;
  }

  Task<std::vector<AttemptPtr>> carry_out(const std::vector<ReconcileStep>& steps) {
    for (const ReconcileStep& step : steps) {
      context_.progress->note("taking up: " + step.text());
      co_await take(step);
    }
    co_return std::move(attempts_);
  }

 private:
  using Action = ReconcileStep::Action;

  Task<> take(const ReconcileStep& step) {
    const bool exec = !context_.ledger->fold().run(step.run).service.empty();
    if (exec && !index_.contains(step.run)) co_return co_await remove(step);
    switch (step.action) {
      case Action::adopt:
      case Action::unpause_adopt:
        co_await go_on(step, Entry::adopt);
        break;
      case Action::collect:
        co_await go_on(step, Entry::collect);
        break;
      case Action::start_again:
        co_await go_on(step, Entry::start_again);
        break;
      case Action::create_again:
        co_await go_on(step, Entry::create_again);
        break;
      case Action::record_completed:
        record_completed(step);
        co_await remove(step);
        break;
      case Action::interrupted_lost:
        context_.ledger->append(campaign::event::Interrupted{.run = step.run,
                                                             .attempt = step.attempt,
                                                             .reason = "lost",
                                                             .utc = context_.clock->utc()});
        break;
      case Action::remove:
      case Action::await_gone:
        co_await remove(step);
        break;
      case Action::refuse:
        throw CommandError(ExitCode::damaged,
                           step.text() + "\n  `campaignctl journal fsck` says what is in doubt");
    }
  }

  Task<> remove(const ReconcileStep& step) {
    if (input_.engine && !step.id.empty()) co_await input_.engine->remove(step.id, true);
  }

  // A run that left the plan, or a pilot, is not gone on with: its container goes.
  Task<> go_on(const ReconcileStep& step, Entry entry) {
    const auto found = index_.find(step.run);
    if (found == index_.end()) co_return co_await remove(step);
    AttemptPtr attempt = taken_up(step, entry, found->second);
    const std::string problem = take_up_devices(*attempt);
    if (problem.empty() || attempt->started) {
      if (!problem.empty())
        attempt->notes.push_back("its devices were not held meanwhile: " + problem);
      attempts_.push_back(std::move(attempt));
      co_return;
    }
    context_.progress->note(step.run + " is drawn anew: " + problem);
    co_await remove(step);
    context_.ledger->append(
        campaign::event::Released{.run = attempt->run, .attempt = attempt->number});
  }

  AttemptPtr taken_up(const ReconcileStep& step, Entry entry, std::size_t index) {
    const campaign::Plan& plan = context_.manifest->plan;
    const RunState& state = context_.ledger->fold().run(step.run);
    auto attempt = std::make_unique<Attempt>();
    attempt->planned = plan.runs[index];
    attempt->experiment = &plan.experiments[attempt->planned.experiment];
    attempt->runner = &(*input_.runners)[attempt->planned.experiment];
    attempt->run = step.run;
    attempt->number = step.attempt;
    attempt->position = state.position;
    attempt->entry = entry;
    attempt->resumed = true;
    attempt->repeated = state.repeated;
    attempt->cold = context_.campaign->cold_start.force_cold_start;
    attempt->claimed = true;
    attempt->service = state.service;
    attempt->server_id = state.server;
    attempt->gap = state.gap;
    attempt->worker = state.worker;
    attempt->paths = attempt_paths(context_.results, *attempt);
    attempt->container_name = state.container;
    attempt->container_id = step.id.empty() ? state.container_id : step.id;
    attempt->prepared = entry != Entry::create_again;
    attempt->started = entry != Entry::create_again &&
                       !(entry == Entry::start_again && state.phase == RunPhase::initialised);
    if (!state.owner.empty() && state.owner != context_.ledger->writer())
      context_.ledger->append(
          campaign::event::Adopted{.run = step.run,
                                   .attempt = step.attempt,
                                   .from = state.owner,
                                   .from_seq = context_.ledger->fold().last_seq.at(state.owner),
                                   .container_id = attempt->container_id});
    const LocalProcess process = local_process(state, attempt->paths.ctl);
    attempt->pid = process.pid;
    attempt->pid_start = process.start;
    attempt->ending.started_utc = state.started_utc;
    return attempt;
  }

  // Who leases one of them by now; "" = it has them.
  std::string take_up_devices(Attempt& attempt) const {
    const std::string& uuids = context_.ledger->fold().run(attempt.run).gpus;
    if (uuids.empty() || !context_.broker) return "";
    gpu::Broker::TakenUp taken = context_.broker->take_up(uuids);
    attempt.hold = std::move(taken.hold);
    attempt.devices = std::move(taken.devices);
    return taken.problem;
  }

  void record_completed(const ReconcileStep& step) {
    const auto record = campaign::accepted_record(context_.results, step.run);
    if (!record) return;
    context_.ledger->append(campaign::event::Completed{.run = step.run,
                                                       .attempt = record->attempt,
                                                       .duration = record->duration,
                                                       .finished_utc = record->finished_utc,
                                                       .started_utc = record->started_utc,
                                                       .stages = record->stages,
                                                       .resumed = true,
                                                       .invalid = record->invalid_reason});
  }

  const RecoveryInput& input_;
  RunContext& context_;
  std::map<std::string, std::size_t> index_;
  std::vector<AttemptPtr> attempts_;
};

void check_engine(const RecoveryInput& input) {
  if (!input.engine || input.abandon_engine) return;
  const RunContext& context = *input.context;
  for (const auto& [run, state] : context.ledger->fold().runs)
    if (in_flight(state) && !state.engine_id.empty() && state.engine_id != context.engine_id &&
        state.host == context.host)
      throw CommandError(
          ExitCode::environment,
          run + " was started on another engine (" + state.engine_id + ") than the one here (" +
              context.engine_id +
              ")\n  reach that engine, or give its attempts up with --abandon-engine");
}

}  // namespace

Task<campaign::ReconcileInput> observe(const RunContext& context, container::Engine* engine) {
  const campaign::Fold& fold = context.ledger->fold();
  campaign::ReconcileInput input{
      .fold = &fold, .engine_id = context.engine_id, .host = context.host};
  if (engine)
    for (const auto& summary :
         co_await engine->list({{container::label::uid, context.manifest->uid}})) {
      if (summary.labels.contains(container::label::dependency)) continue;
      const std::string run = label_of(summary, container::label::run);
      input.containers.push_back(
          {.run = run,
           .attempt = std::atoi(label_of(summary, container::label::attempt).c_str()),
           .id = summary.id,
           .name = summary.name,
           .state = observed_state(summary.status),
           .server = summary.labels.contains(container::label::server),
           .service = label_of(summary, container::label::service)});
      if (!run.empty()) input.on_disk[run] = look_on_disk(context, run, fold.run(run));
    }
  for (const auto& [run, state] : fold.runs)
    if (in_flight(state)) input.on_disk[run] = look_on_disk(context, run, state);
  if (engine) co_await look_for_execs(*engine, input);
  look_for_accepted(context, input);
  co_return input;
}

Task<std::vector<AttemptPtr>> recover(const RecoveryInput& input) {
  check_engine(input);
  const campaign::ReconcileInput seen = co_await observe(*input.context, input.engine);
  const std::vector<ReconcileStep> steps = campaign::reconcile(seen);
  Recovery recovery(input);
  co_return co_await recovery.carry_out(steps);
}

namespace {

// Something that others still use is left, with a word.
Task<> remove_or_tell(Task<> removal, std::string name, std::vector<std::string>& left) {
  try {
    co_await std::move(removal);
  } catch (const container::EngineError& error) {
    if (error.unreachable()) throw;
    left.push_back(name + ": " + error.what());
  }
}

}  // namespace

Task<std::vector<std::string>> sweep(container::Engine& engine, const std::string& uid) {
  std::vector<std::string> left;
  const std::map<std::string, std::string> ours = {{container::label::uid, uid}};
  for (const auto& one : co_await engine.list(ours)) co_await engine.remove(one.id, true);
  for (const auto& one : co_await engine.networks().list(ours))
    co_await remove_or_tell(engine.networks().remove(one.id), "network " + one.name, left);
  for (const auto& one : co_await engine.volumes().list(ours))
    co_await remove_or_tell(engine.volumes().remove(one.name), "volume " + one.name, left);
  co_return left;
}

}  // namespace controller
