#include "controller/sequencer.hpp"

#include <sys/statvfs.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cmath>
#include <filesystem>
#include <limits>
#include <unordered_map>

#include "container/labels.hpp"
#include "controller/gpu/broker.hpp"
#include "controller/runners/held_spec.hpp"

namespace controller {

namespace asio = boost::asio;
using campaign::FailureClass;
using campaign::RunPhase;

namespace {

DrawOrder::Rules rules_of(const campaign::Execution& execution) {
  return {.barrier = execution.workers == 1 || execution.cycle_gap_written,
          .by_experiment = execution.structure == campaign::Structure::grouped};
}

bool is_disk_full(const std::exception& error) {
  const auto* journal = dynamic_cast<const campaign::JournalError*>(&error);
  const auto* system = dynamic_cast<const std::system_error*>(&error);
  return (journal && journal->disk_full()) ||
         (system && system->code() == std::error_condition(std::errc::no_space_on_device));
}

// Failures that end the session, not only the attempt.
bool is_fatal(const std::exception& error) {
  return dynamic_cast<const campaign::JournalError*>(&error) ||
         dynamic_cast<const EngineAway*>(&error) || is_disk_full(error);
}

}  // namespace

Sequencer::Sequencer(SequencerInput input)
    : context_(*input.context),
      plan_(context_.manifest->plan),
      fold_(context_.ledger->fold()),
      order_(plan_, fold_, rules_of(context_.campaign->execution)),
      pilot_only_(input.pilot_only),
      ahead_(static_cast<std::size_t>(context_.campaign->execution.workers)),
      preparing_(ahead_.size(), false),
      begin_(context_.clock->boottime()) {
  order_.select_only(std::move(input.selected));
  for (AttemptPtr& attempt : input.recovered) {
    for (std::size_t i = 0; i < plan_.runs.size(); ++i)
      if (order_.id(i) == attempt->run) in_flight_.insert(i);
    recovered_.push_back(std::move(attempt));
  }
  for (const auto& experiment : plan_.experiments)
    runners_.push_back(*campaign::runner_of(*context_.campaign, experiment));
  if (context_.campaign->execution.pilot || pilot_only_)
    for (std::uint32_t i = 0; i < plan_.experiments.size(); ++i)
      if (!fold_.pilots.contains(campaign::pilot_id(plan_.experiments[i])) ||
          !fold_.pilots.at(campaign::pilot_id(plan_.experiments[i])).done())
        pilots_.push_back(i);
  for (std::size_t i = 0; i < plan_.runs.size(); ++i) {
    const campaign::RunState& state = fold_.run(order_.id(i));
    completed_ += state.phase == RunPhase::completed || state.phase == RunPhase::aggregated;
    failed_ += state.phase == RunPhase::failed && state.final;
    skipped_ += state.phase == RunPhase::skipped;
  }
  take_up_streaks();
}

// Failures that an earlier controller saw count on; a pause has begun the list anew.
void Sequencer::take_up_streaks() {
  if (fold_.outcomes.empty()) return;
  std::unordered_map<std::string, std::uint32_t> experiments;
  for (std::size_t i = 0; i < plan_.runs.size(); ++i)
    experiments[order_.id(i)] = plan_.runs[i].experiment;
  for (const auto& [run, cls] : fold_.outcomes) {
    const campaign::RunState& state = fold_.run(run);
    const bool settled = cls == FailureClass::none || (state.final && state.cls == cls);
    const auto experiment = experiments.find(run);
    if (settled && experiment != experiments.end())
      streaks_.add({experiment->second, cls, state.exit_code});
  }
}

Task<SequenceEnd> Sequencer::run() {
  const auto executor = co_await asio::this_coro::executor;
  working_ = static_cast<int>(ahead_.size());
  context_.progress->tick(progress());
  for (int worker = 0; worker < static_cast<int>(ahead_.size()); ++worker)
    asio::co_spawn(executor, guarded_work(worker), asio::detached);
  while (working_ > 0 || background_ > 0)
    co_await context_.wake->wait(std::numeric_limits<double>::infinity());
  co_return end_;
}

Task<> Sequencer::guarded_work(int worker) {
  try {
    co_await work(worker);
  } catch (...) {
    fatal(std::current_exception());
  }
  --working_;
  context_.wake->notify();
}

void Sequencer::fatal(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const std::exception& error) {
    if (is_disk_full(error) && end_.disk.empty()) end_.disk = error.what();
  } catch (...) {
  }
  if (!end_.fatal) end_.fatal = failure;
  context_.stop->raise(StopLevel::now, "an error that ends the session");
}

Task<> Sequencer::work(int worker) {
  while (AttemptPtr attempt = co_await next_attempt(worker)) co_await carry_out(std::move(attempt));
}

Task<AttemptPtr> Sequencer::next_attempt(int worker) {
  const auto slot = static_cast<std::size_t>(worker);
  while (preparing_[slot]) co_await context_.wake->wait(std::numeric_limits<double>::infinity());
  if (AttemptPtr attempt = std::move(ahead_[slot])) {
    if (!context_.stop->no_new_runs()) co_return attempt;
    co_await release(*attempt);
  }
  for (;;) {
    if (AttemptPtr attempt = take_recovered(worker)) co_return attempt;
    if (context_.stop->no_new_runs()) co_return nullptr;
    Next next = draw(worker, false);
    if (next.attempt) {
      if (co_await begin(*next.attempt)) co_return std::move(next.attempt);
      continue;
    }
    if (next.nothing_left || context_.stop->no_new_runs()) co_return nullptr;
    const Waiting waiting(context_, worker, next.wait);
    const double until = next.wait.until_utc.value_or(std::numeric_limits<double>::infinity());
    co_await context_.wake->wait(until - context_.clock->utc());
  }
}

// An exec goes on with the worker whose container it runs in.
AttemptPtr Sequencer::take_recovered(int worker) {
  const auto free = [&](const AttemptPtr& attempt) {
    return attempt->service.empty() || attempt->worker == worker ||
           attempt->worker >= static_cast<int>(ahead_.size());
  };
  const auto found = std::find_if(recovered_.begin(), recovered_.end(), free);
  if (found == recovered_.end()) return nullptr;
  AttemptPtr attempt = std::move(*found);
  recovered_.erase(found);
  attempt->worker = worker;
  return attempt;
}

Sequencer::Next Sequencer::draw(int worker, bool look_ahead) {
  check_room();
  if (!pilots_.empty()) {
    const std::uint32_t experiment = pilots_.front();
    pilots_.pop_front();
    return {.attempt = make_pilot(experiment, worker)};
  }
  if (pilots_in_flight_ > 0) return {};
  const Drawn drawn =
      pilot_only_ ? Drawn{} : order_.next(in_flight_, context_.clock->utc(), look_ahead);
  if (drawn.kind == Drawn::Kind::wait_until)
    return {.wait = {.reason = "retry of " + order_.id(drawn.index), .until_utc = drawn.until_utc}};
  if (drawn.kind == Drawn::Kind::done) return {.nothing_left = true};
  if (drawn.kind != Drawn::Kind::run || context_.stop->no_new_runs()) return {};
  if (context_.stop->level() == StopLevel::after_cycle && enters(plan_.runs[drawn.index].cycle)) {
    context_.stop->raise(StopLevel::after_run, context_.stop->reason());
    return {};
  }
  return {.attempt = make_attempt(drawn.index, worker)};
}

AttemptPtr Sequencer::make_attempt(std::size_t index, int worker) {
  auto attempt = std::make_unique<Attempt>();
  attempt->planned = plan_.runs[index];
  attempt->experiment = &plan_.experiments[attempt->planned.experiment];
  attempt->runner = &runners_[attempt->planned.experiment];
  attempt->run = order_.id(index);
  attempt->worker = worker;
  attempt->cold = context_.campaign->cold_start.force_cold_start;
  const campaign::RunState& state = fold_.run(attempt->run);
  attempt->number = state.attempt + 1;
  while (std::filesystem::exists(context_.results.ctl(attempt->name()) / "begun"))
    ++attempt->number;
  attempt->repeated = state.repeated;
  in_flight_.insert(index);
  return attempt;
}

AttemptPtr Sequencer::make_pilot(std::uint32_t experiment, int worker) {
  auto attempt = std::make_unique<Attempt>();
  attempt->pilot = true;
  attempt->planned = {.experiment = experiment, .cycle = 1};
  attempt->experiment = &plan_.experiments[experiment];
  attempt->runner = &runners_[experiment];
  attempt->run = campaign::pilot_id(*attempt->experiment);
  attempt->worker = worker;
  attempt->cold = context_.campaign->cold_start.force_cold_start;
  while (std::filesystem::exists(context_.results.ctl(attempt->name()))) ++attempt->number;
  ++pilots_in_flight_;
  return attempt;
}

// Its devices, then its claim. False: the session ends before it has them, and it goes back as if
// it had not been drawn.
Task<bool> Sequencer::begin(Attempt& attempt) {
  std::string refused;
  if (context_.broker && context_.broker->needs(attempt.planned.experiment)) {
    refused = co_await lease_devices(attempt);
    const bool without = !attempt.hold && refused.empty();
    if (without || !may_begin(attempt) || (!refused.empty() && pauses_without(attempt, refused))) {
      put_back(attempt);
      co_return false;
    }
  }
  claim(attempt);
  if (!refused.empty())
    fail_early(attempt, FailureClass::infra,
               "no GPU: " + refused + "; `gpus_wait` says how long to wait for it");
  co_return true;
}

// Why others keep it from them; "" = it has them, or may not begin any more.
Task<std::string> Sequencer::lease_devices(Attempt& attempt) {
  Waiting waiting(context_, attempt.worker);
  try {
    gpu::Broker::Obtained obtained = co_await context_.broker->obtain(
        {.experiment = attempt.planned.experiment,
         .worker = attempt.worker,
         .waits =
             [&waiting](const std::string& why) {
               waiting.show({.reason = why.empty() ? "" : "GPUs: " + why});
             },
         .given_up = [this, &attempt] { return !may_begin(attempt); }});
    attempt.hold = std::move(obtained.hold);
    attempt.devices = std::move(obtained.devices);
    co_return obtained.refused;
  } catch (const std::exception& error) {
    if (is_fatal(error)) throw;
    co_return error.what();
  }
}

// What was asked for since it was drawn counts too.
bool Sequencer::may_begin(const Attempt& attempt) const {
  return !context_.stop->no_new_runs() &&
         (attempt.pilot || context_.stop->level() != StopLevel::after_cycle ||
          !enters(attempt.planned.cycle));
}

bool Sequencer::enters(int cycle) const {
  return cycle > fold_.cycle_entered && fold_.cycle_entered > 0;
}

void Sequencer::put_back(const Attempt& attempt) {
  if (!attempt.pilot) {
    std::erase_if(in_flight_, [&](std::size_t i) { return order_.id(i) == attempt.run; });
    return;
  }
  --pilots_in_flight_;
  pilots_.push_front(attempt.planned.experiment);
}

// Others hold its devices, and have been waited for long enough: whether the campaign pauses.
bool Sequencer::pauses_without(const Attempt& attempt, const std::string& why) {
  if (context_.broker->wait().then != campaign::GpusWait::Then::pause) return false;
  if (end_.paused.empty()) end_.paused = "no GPU for " + attempt.run + ": " + why;
  context_.stop->raise(StopLevel::after_run, end_.paused);
  return true;
}

bool Sequencer::crosses(const Attempt& attempt) const {
  if (context_.campaign->execution.structure == campaign::Structure::grouped)
    return drawn_any_ && attempt.planned.experiment != last_experiment_;
  return enters(attempt.planned.cycle);
}

void Sequencer::claim(Attempt& attempt) {
  attempt.paths = attempt_paths(context_.results, attempt);
  attempt.position = fold_.position + 1;
  attempt.claimed_boottime = context_.clock->boottime();
  attempt.crosses = !attempt.pilot && crosses(attempt);
  const bool contained = attempt.runner->type != campaign::RunnerType::local;
  if (contained && attempt.runner->persistent()) {
    attempt.service = service_of(*context_.campaign, attempt);
    attempt.container_name = held_name(context_.manifest->uid, attempt.service, attempt.worker);
  } else if (contained) {
    attempt.container_name = container_name(context_.manifest->uid, attempt.run, attempt.number);
  }
  std::vector<campaign::Event> events;
  if (!attempt.pilot && attempt.planned.cycle > fold_.cycle_entered)
    events.push_back(campaign::event::CycleEntered{.cycle = attempt.planned.cycle});
  events.push_back(campaign::event::Claimed{.run = attempt.run,
                                            .attempt = attempt.number,
                                            .worker = attempt.worker,
                                            .container = attempt.container_name,
                                            .engine_id = contained ? context_.engine_id : "",
                                            .host = context_.host,
                                            .position = attempt.position,
                                            .service = attempt.service,
                                            .gpus = gpu::joined_uuids(attempt.devices)});
  context_.ledger->append(events);
  attempt.claimed = true;
  last_experiment_ = attempt.planned.experiment;
  drawn_any_ = true;
}

void Sequencer::check_room() {
  struct statvfs room{};
  for (const auto& folder : {std::filesystem::path(context_.manifest->state_dir),
                             std::filesystem::path(context_.manifest->results_dir)}) {
    if (context_.campaign->io.min_free <= 0 || statvfs(folder.c_str(), &room) != 0) continue;
    const double free = static_cast<double>(room.f_bavail) * static_cast<double>(room.f_frsize);
    if (free >= static_cast<double>(context_.campaign->io.min_free) || !end_.disk.empty()) continue;
    end_.disk = folder.string() + " has " + std::to_string(static_cast<long>(free / 1e6)) +
                " MB left, less than io.min_free";
    context_.stop->raise(StopLevel::after_run, end_.disk);
  }
}

void Sequencer::fail_early(Attempt& attempt, FailureClass cls, const std::string& why) {
  attempt.early_failure = cls;
  attempt.message = why;
  attempt.ending.started_utc = attempt.ending.finished_utc = context_.clock->utc();
  attempt.finished_boottime = context_.clock->boottime();
}

// False when the attempt went back to pending.
Task<bool> Sequencer::get_ready(Attempt& attempt, Part part) {
  bool released = false;
  try {
    co_await run_stages(context_, attempt, {.part = part});
  } catch (const ReleasedBeforeStart&) {
    released = true;
  } catch (const PrepareError& error) {
    fail_early(attempt, error.cls, error.what());
  } catch (const std::exception& error) {
    if (is_fatal(error)) throw;
    fail_early(attempt, FailureClass::infra, error.what());
  }
  if (released) co_await release(attempt);
  co_return !released;
}

Task<> Sequencer::release(Attempt& attempt) {
  try {
    co_await context_.runner_of(attempt).remove(attempt);
  } catch (const std::exception& error) {
    context_.progress->note(attempt.run + ": its container is left for the sweep: " + error.what());
  }
  context_.ledger->append(campaign::event::Released{.run = attempt.run, .attempt = attempt.number});
  if (attempt.pilot)
    --pilots_in_flight_;
  else
    std::erase_if(in_flight_, [&](std::size_t i) { return order_.id(i) == attempt.run; });
  context_.workers[static_cast<std::size_t>(attempt.worker)].run.clear();
}

// False when the attempt went back to pending.
Task<bool> Sequencer::measure(Attempt& attempt) {
  bool released = false;
  try {
    std::optional<UnderWay> under_way;  // what ended before this controller came is not
    if (attempt.entry != Entry::collect) under_way.emplace(context_, attempt);
    co_await run_stages(context_, attempt, {.part = Part::during});
  } catch (const ReleasedBeforeStart&) {
    released = true;
  } catch (const std::exception& error) {
    if (is_fatal(error)) throw;
    fail_early(attempt, FailureClass::infra, error.what());
  }
  if (released) co_await release(attempt);
  co_return !released;
}

// Where runs have GPUs the next one's are still those of this one.
bool Sequencer::prepares_ahead() const {
  return context_.campaign->execution.overlap == campaign::Overlap::always && !context_.broker;
}

Task<> Sequencer::carry_out(AttemptPtr attempt) {
  const bool fresh = attempt->entry == Entry::fresh || attempt->entry == Entry::create_again;
  WorkerStatus& worker = context_.workers[static_cast<std::size_t>(attempt->worker)];
  if (fresh && !attempt->prepared && !attempt->early_failure &&
      !co_await get_ready(*attempt, Part::ahead))
    co_return;
  if (!attempt->started && !attempt->early_failure && !co_await get_ready(*attempt, Part::before))
    co_return;
  const bool always = context_.campaign->execution.overlap == campaign::Overlap::always;
  if (worker.initialization == 0) worker.initialization = context_.clock->boottime() - begin_;
  if (prepares_ahead() && !attempt->early_failure && !context_.stop->no_new_runs() &&
      recovered_.empty()) {
    preparing_[static_cast<std::size_t>(attempt->worker)] = true;
    asio::co_spawn(co_await asio::this_coro::executor, prepare_ahead(attempt->worker),
                   asio::detached);
  }
  if (!attempt->early_failure && !co_await measure(*attempt)) co_return;
  worker.finished_boottime = attempt->finished_boottime;
  for (const gpu::Device& device : attempt->devices)
    context_.device_finished[device.uuid] = attempt->finished_boottime;
  if (!always) {
    co_await finish(std::move(attempt));
    co_return;
  }
  while (background_ > static_cast<int>(ahead_.size()))
    co_await context_.wake->wait(std::numeric_limits<double>::infinity());
  ++background_;
  asio::co_spawn(co_await asio::this_coro::executor, finish_in_background(std::move(attempt)),
                 asio::detached);
}

// Lets whoever is to be started be started first.
Task<> Sequencer::stand_back() {
  co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
}

// What is drawn next depends on how the last run ended, and its cycle is open until then.
Task<> Sequencer::settled_before() {
  while (background_ > 0) co_await context_.wake->wait(std::numeric_limits<double>::infinity());
}

Task<> Sequencer::prepare_ahead(int worker) {
  const auto slot = static_cast<std::size_t>(worker);
  try {
    co_await stand_back();
    if (ahead_.size() == 1) co_await settled_before();
    const bool look_ahead =
        ahead_.size() == 1;  // with more workers a barrier is one for the start, too
    AttemptPtr next = draw(worker, look_ahead).attempt;
    if (next) claim(*next);
    if (next && co_await get_ready(*next, Part::ahead)) ahead_[slot] = std::move(next);
  } catch (...) {
    fatal(std::current_exception());
  }
  preparing_[slot] = false;
  context_.wake->notify();
}

Task<> Sequencer::finish_in_background(AttemptPtr attempt) {
  try {
    co_await stand_back();
    co_await finish(std::move(attempt));
  } catch (...) {
    fatal(std::current_exception());
  }
  --background_;
  context_.wake->notify();
}

Task<> Sequencer::finish(AttemptPtr attempt) {
  co_await run_stages(context_, *attempt, {.part = Part::after});
  settle(*attempt);
  context_.wake->notify();
}

}  // namespace controller
