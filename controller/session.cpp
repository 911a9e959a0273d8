#include "controller/session.hpp"

#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <filesystem>
#include <limits>

#include "campaign/state/files.hpp"
#include "campaign/state/session_state.hpp"
#include "controller/environment/watch.hpp"
#include "controller/errors.hpp"
#include "controller/gpu/broker.hpp"
#include "controller/session_run.hpp"
#include "controller/session_services.hpp"
#include "controller/stages/hooks.hpp"
#include "controller/telemetry/recorder.hpp"
#include "controller/thermal/thermometer.hpp"

namespace controller {

namespace asio = boost::asio;
namespace fs = std::filesystem;

SessionRun::SessionRun(const SessionRequest& request, Loop loop)
    : request_(request), loop_(loop), clock_(campaign::system_clock()) {}

SessionRun::~SessionRun() = default;

SessionResult SessionRun::run() {
  SessionResult result = carry_out();
  result.fold = std::move(state_.fold);
  return result;
}

SessionResult SessionRun::carry_out() {
  begun_utc_ = clock_.utc();
  state_ = open_state(request_, clock_);
  if (nothing_to_do()) {
    return ended_before();
  }
  refuse_foreign_results(state_);
  prepare_folders();
  connect();
  make_broker();
  begin_journal();
  fill_context();
  apply_selectors();
  finish_superseding(state_);
  return go();
}

// A session that has ended has its summary on disk, unless its controller was killed just then.
SessionResult SessionRun::ended_before() {
  SessionResult result{.exit_code = state_.fold.finished.value_or(0),
                       .already_finished = true,
                       .manifest = state_.manifest,
                       .results = state_.results};
  std::optional<campaign::Summary> stored;
  const fs::path file = state_.results.folder / "summary.json";
  if (fs::exists(file)) stored = campaign::read_summary_json(campaign::read_file(file));
  result.summary = stored ? std::move(*stored) : summary();
  if (!stored) write_aggregates(result);
  return result;
}

void SessionRun::stopped_early() const {
  throw CommandError(static_cast<ExitCode>(128 + loop_.stop.signal()),
                     "stopped before anything was started");
}

bool SessionRun::nothing_to_do() const {
  const UpOptions& options = request_.options;
  return !state_.created && finished(state_.fold) && !state_.revised && state_.unrecorded == 0 &&
         options.retry.empty() && options.rerun.empty();
}

SessionResult SessionRun::go() {
  for (const auto& experiment : state_.manifest.plan.experiments)
    runners_.push_back(*campaign::runner_of(state_.campaign, experiment));
  asio::co_spawn(loop_.io, pulse(), asio::detached);
  auto end = run_sync<SequenceEnd>(loop_.io, carry_out_runs(), nullptr);
  Ended ended = conclude(*end);
  pulsing_ = false;
  leave_snapshot();
  SessionResult result = result_of(ended);
  write_aggregates(result);
  request_.progress->finish();
  return result;
}

Task<SequenceEnd> SessionRun::carry_out_runs() {
  co_await run_owed_cleanup();
  SequencerInput input{
      .context = &context_, .selected = selected(), .pilot_only = request_.options.pilot_only};
  input.recovered = co_await recover({.context = &context_,
                                      .engine = engine_.get(),
                                      .runners = &runners_,
                                      .abandon_engine = request_.options.abandon_engine});
  const campaign::Hooks& hooks = state_.campaign.hooks;
  if (!hooks.cleanup.empty()) ledger_->append(campaign::event::CleanupOwed{.argv = hooks.cleanup});
  co_await run_hook(context_, "setup", hooks.setup, nullptr);
  begin_services();
  sequencer_ = std::make_unique<Sequencer>(std::move(input));
  SequenceEnd end = co_await sequencer_->run();
  co_await tear_down();
  co_await run_owed_cleanup();
  if (engine_ && !end.fatal)
    for (const std::string& left : co_await sweep(*engine_, state_.manifest.uid))
      request_.progress->note("left on the engine: " + left);
  co_return end;
}

Task<> SessionRun::tear_down() {
  try {
    if (loop_.stop.level() == StopLevel::kill) host_->hurry();
    co_await host_->shut_down();
    if (servers_) co_await servers_->close();
    if (compose_) co_await compose_->close();
  } catch (const std::exception& error) {
    request_.progress->note(std::string("containers are left for the next start: ") + error.what());
  }
}

// A cleanup that is owed runs once, now or at the next start; its failure is told, never fatal.
Task<> SessionRun::run_owed_cleanup() {
  if (!state_.fold.cleanup_owed) co_return;
  const std::vector<std::string> argv = *state_.fold.cleanup_owed;
  int code = 0;
  try {
    co_await run_hook(context_, "cleanup", argv, nullptr);
  } catch (const std::exception& error) {
    request_.progress->note(error.what());
    code = 1;
  }
  ledger_->append(campaign::event::CleanupDone{.exit_code = code});
}

// Signs of life, requests to stop, the display: once a second, until the session is over.
Task<> SessionRun::pulse() {
  constexpr double interval = 1;
  pulsing_ = true;
  while (pulsing_) {
    try {
      beat();
    } catch (const std::exception& error) {
      context_.progress->note(std::string("no sign of life could be written: ") + error.what());
    }
    const double next = clock_.boottime() + interval;
    for (double left = interval; pulsing_ && left > 0; left = next - clock_.boottime())
      co_await pulse_.wait(left);
  }
}

namespace {

bool waits_for_a_run(const WorkerStatus& worker) {
  return worker.run.empty() && !worker.wait.reason.empty();
}

std::string stage_of(const WorkerStatus& worker) {
  if (!worker.run.empty()) return worker.stage;
  return waits_for_a_run(worker) ? "claim" : "";
}

}  // namespace

void SessionRun::beat() {
  constexpr std::int64_t records_between_snapshots = 10'000;
  if (ledger_->seq() - snapshot_seq_ >= records_between_snapshots) leave_snapshot();
  if (const auto request = campaign::take_stop_request(state_.located.session.control())) {
    using When = campaign::StopRequest::When;
    const StopLevel level = request->when == When::now           ? StopLevel::now
                            : request->when == When::after_cycle ? StopLevel::after_cycle
                                                                 : StopLevel::after_run;
    loop_.stop.raise(level, "campaignctl stop");
  }
  if (host_ && loop_.stop.level() == StopLevel::kill) host_->hurry();
  if (telemetry_) telemetry_->look();
  if (!sequencer_) return;
  const Wait& wait = shown_wait(context_);
  const WorkerStatus* const waits =
      context_.engine_wait.reason.empty() ? waiting_worker(context_) : nullptr;
  campaign::Heartbeat heartbeat{.writer = ledger_->writer(),
                                .host = context_.host,
                                .wait_reason = text_of(wait, clock_.utc()),
                                .pid = getpid(),
                                .utc = clock_.utc(),
                                .wait_until_utc = wait.until_utc};
  for (std::size_t i = 0; i < context_.workers.size(); ++i) {
    const WorkerStatus& worker = context_.workers[i];
    heartbeat.workers.push_back(
        {.id = static_cast<int>(i),
         .run = worker.run,
         .stage = stage_of(worker),
         .wait = waits_for_a_run(worker) ? text_of(worker.wait, heartbeat.utc) : "",
         .started_utc = begun_utc_,
         .initialization_ms = worker.initialization * 1000});
    if (waits ? waits == &worker : heartbeat.stage.empty())
      heartbeat.stage = heartbeat.workers.back().stage;
  }
  ServicesSeen seen{.utc = heartbeat.utc};
  if (persistent_) seen.held = persistent_->held();
  if (host_) heartbeat.services = services_of(*host_, seen);
  campaign::write_heartbeat(state_.located.session.heartbeat(), heartbeat);
  request_.progress->tick(sequencer_->progress());
}

SessionRun::Ended SessionRun::all_drawn() {
  const campaign::Plan& plan = state_.manifest.plan;
  for (const auto& run : plan.runs)
    if (!state_.fold.run(campaign::run_id(plan, run)).done()) {
      ledger_->append(campaign::event::Drained{.reason = "only a part was asked for"});
      return {.exit_code = 0,
              .message = "the runs that were asked for are done; `up` goes on with the others"};
    }
  const int code = exit_code_of(plan, state_.fold);
  ledger_->append(campaign::event::Finished{.exit_code = code});
  return {.exit_code = code};
}

// What the end means, in the order of what weighs most.
SessionRun::Ended SessionRun::conclude(const SequenceEnd& end) {
  const auto code = [](ExitCode exit_code) { return static_cast<int>(exit_code); };
  try {
    if (!end.disk.empty()) {
      ledger_->append(campaign::event::Paused{.reason = "disk"});
      return {code(ExitCode::environment),
              "no space: " + end.disk + "\n  make room, then `campaignctl resume`"};
    }
    if (end.fatal) std::rethrow_exception(end.fatal);
    const Stop& stop = loop_.stop;
    if (stop.signal() != 0) {
      ledger_->append(campaign::event::Drained{.reason = stop.reason()});
      return {128 + stop.signal(), "stopped by a signal; `campaignctl resume` goes on"};
    }
    if (!end.paused.empty()) {
      ledger_->append(campaign::event::Paused{.reason = end.paused});
      return {code(ExitCode::paused), "paused: " + end.paused + "; `campaignctl resume` goes on"};
    }
    if (stop.level() != StopLevel::none) {
      ledger_->append(campaign::event::Drained{.reason = stop.reason()});
      return {code(ExitCode::drained), "stopped on request; `campaignctl resume` goes on"};
    }
    return all_drawn();
  } catch (const campaign::JournalError& error) {
    return {code(ExitCode::environment),
            std::string(error.what()) + "\n  make room, then `campaignctl resume`"};
  } catch (const EngineAway& error) {
    return {code(ExitCode::environment),
            std::string("the container engine went away and did not come back: ") + error.what() +
                "\n  start it, then `campaignctl resume`"};
  }
}

void SessionRun::leave_snapshot() {
  campaign::Snapshot snapshot{.fold = std::move(state_.fold), .offsets = state_.offsets};
  try {
    snapshot.offsets[state_.journal->writer()] = state_.journal->offset();
    campaign::store_snapshot(state_.located.session, snapshot);
    snapshot_seq_ = ledger_->seq();
  } catch (const std::exception& error) {
    request_.progress->note(
        std::string("no snapshot was written (the journal holds everything): ") + error.what());
  }
  state_.fold = std::move(snapshot.fold);
}

SessionResult SessionRun::result_of(const Ended& ended) {
  SessionResult result{.exit_code = ended.exit_code,
                       .message = ended.message,
                       .manifest = state_.manifest,
                       .results = state_.results};
  result.summary = summary();
  return result;
}

namespace {

// What the summary needs of a record, and no more: there may be 100,000 of them.
campaign::RunRecord for_summary(campaign::RunRecord&& whole) {
  std::optional<campaign::EnergyRecord> energy;
  if (whole.energy) energy.emplace().gpus = std::move(whole.energy->gpus);
  return {.run = std::move(whole.run),
          .experiment = std::move(whole.experiment),
          .cycle = whole.cycle,
          .attempt = whole.attempt,
          .state = std::move(whole.state),
          .cls = whole.cls,
          .repeated = whole.repeated,
          .window = whole.window,
          .metrics = std::move(whole.metrics),
          .energy = std::move(energy),
          .valid = whole.valid,
          .invalid_reason = std::move(whole.invalid_reason)};
}

}  // namespace

campaign::Summary SessionRun::summary() const {
  std::vector<campaign::RunRecord> records;
  const auto keep = [&](campaign::RunRecord&& record) {
    records.push_back(for_summary(std::move(record)));
  };
  campaign::read_records(state_.results, keep);
  campaign::read_kept_records(state_.results, keep);
  for (const campaign::PlannedRun& run : state_.manifest.plan.runs)
    if (state_.fold.run(campaign::run_id(state_.manifest.plan, run)).phase ==
        campaign::RunPhase::skipped)
      records.push_back({.run = campaign::run_id(state_.manifest.plan, run),
                         .experiment = state_.manifest.plan.experiments[run.experiment].name,
                         .cycle = run.cycle,
                         .state = "skipped",
                         .valid = false});
  return campaign::summarise({.manifest = &state_.manifest, .records = std::move(records)});
}

void SessionRun::write_aggregates(const SessionResult& result) const {
  try {
    campaign::write_atomically(state_.results.folder / "summary.json",
                               campaign::write_summary_json(result.summary));
    campaign::write_atomically(state_.results.folder / "summary.csv",
                               campaign::write_summary_csv(result.summary));
  } catch (const std::exception& error) {
    request_.progress->note(std::string("no summary files were written: ") + error.what());
  }
}

SessionResult run_session(const SessionRequest& request) {
  std::signal(SIGPIPE, SIG_IGN);
  asio::io_context io;
  Wake wake;
  Stop stop(wake);
  asio::signal_set signals(io, SIGINT, SIGTERM, SIGHUP);
  std::function<void()> listen = [&] {
    signals.async_wait([&](boost::system::error_code error, int number) {
      if (error) return;
      stop.on_signal(number);
      listen();
    });
  };
  listen();
  SessionRun session(request, {io, wake, stop});
  return session.run();
}

}  // namespace controller
