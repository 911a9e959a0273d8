#include "controller/cli/status_report.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <map>

#include "campaign/statistics/statistics.hpp"
#include "controller/cli/records.hpp"

namespace controller::cli {
namespace {

using campaign::RunPhase;
using campaign::RunState;

constexpr double least_silence = 10;  // seconds without a sign of life that make a controller gone
constexpr double missed_beats = 3;

bool completed(const RunState& state) {
  return state.phase == RunPhase::completed || state.phase == RunPhase::aggregated;
}
bool failed(const RunState& state) { return state.phase == RunPhase::failed && state.final; }
bool under_way(const RunState& state) {
  return state.phase == RunPhase::initialised || state.phase == RunPhase::running;
}

std::optional<double> positive(double value) {
  return value > 0 ? std::optional<double>(value) : std::nullopt;
}

const campaign::Heartbeat* newest(const std::vector<campaign::Heartbeat>& beats) {
  const auto found = std::max_element(beats.begin(), beats.end(),
                                      [](const auto& a, const auto& b) { return a.utc < b.utc; });
  return found == beats.end() ? nullptr : &*found;
}

bool silent(const campaign::Heartbeat& beat, double now) {
  return now - beat.utc > std::max(least_silence, missed_beats * beat.interval);
}

// The lock proves life on this host; from another one only the heartbeat can tell.
void set_state(StatusReport& report, const Observation& seen) {
  const campaign::Fold& fold = seen.view->fold;
  const campaign::Heartbeat* beat = newest(seen.beats);
  const bool alive_elsewhere =
      beat != nullptr && beat->host != seen.host && !silent(*beat, seen.utc);
  if (fold.abandoned) {
    report.state = "abandoned";
  } else if (fold.finished) {
    report.state = "finished";
  } else if ((seen.held || alive_elsewhere) && beat != nullptr && silent(*beat, seen.utc)) {
    report.state = "gone";
    report.detail = "no sign of life from pid " + std::to_string(beat->pid) + " on " + beat->host +
                    " for " + about(seen.utc - beat->utc);
  } else if (seen.held || alive_elsewhere) {
    report.state = "running";
  } else if (!fold.paused.empty()) {
    report.state = "paused";
    report.detail = fold.paused;
  } else if (!fold.drained.empty()) {
    report.state = fold.drained.find("signal") != std::string::npos ? "stopped" : "drained";
    report.detail = fold.drained;
  } else {
    report.state = "interrupted";
    report.detail = "its controller ended without a word; `campaignctl resume` goes on";
  }
}

struct Figures {
  std::vector<double> durations;
  double first = 0, last = 0;
  std::size_t begun = 0, under_way = 0, done = 0;
};

void count(Figures& figures, const RunState& state) {
  if (state.done()) ++figures.done;
  if (under_way(state)) ++figures.under_way;
  if (state.attempt == 0 && state.claimed_utc == 0) return;
  ++figures.begun;
  const double start = state.claimed_utc > 0 ? state.claimed_utc : state.started_utc;
  if (start > 0 && (figures.first == 0 || start < figures.first)) figures.first = start;
  figures.last = std::max(figures.last, state.finished_utc);
  if (completed(state)) figures.durations.push_back(state.duration);
}

std::optional<double> time_between(double first, double last) {
  if (first <= 0 || last < first) return std::nullopt;
  return last - first;
}

std::string cycle_state(const Figures& figures, std::size_t runs) {
  if (figures.done == runs) return "done";
  if (figures.under_way > 0) return "running";
  return figures.begun > 0 ? "partial" : "pending";
}

RunFigures run_figures(const Observation& seen, const campaign::PlannedRun& planned,
                       const std::string& id) {
  const RunState& state = seen.view->fold.run(id);
  RunFigures run{
      .run = id,
      .experiment = seen.view->manifest.plan.experiments[planned.experiment].name,
      .state = campaign::name_of(state.phase),
      .cls = state.cls == campaign::FailureClass::none ? "" : campaign::name_of(state.cls),
      .invalid = completed(state) ? state.message : "",
      .cycle = planned.cycle,
      .attempt = state.attempt};
  if (state.claimed_utc > 0)
    run.queue_wait = time_between(seen.view->fold.started_utc, state.claimed_utc);
  const bool ended = completed(state) || state.phase == RunPhase::failed;
  if (ended && state.started_utc > 0) run.execution = state.duration;
  if (completed(state)) run.verification = state.verification;
  if (ended) run.total = time_between(state.claimed_utc, state.finished_utc);
  if (run.total && run.verification) *run.total += *run.verification;
  return run;
}

struct WorkerTally {
  WorkerFigures figures;
  double first_claim = 0, last_end = 0, sum = 0;
  double last_claim = 0;
};

void take_gpus(WorkerTally& worker, const RunState& state) {
  if (state.claimed_utc < worker.last_claim) return;
  worker.last_claim = state.claimed_utc;
  worker.figures.gpus = split(state.gpus, ',');
}

void tally(std::map<int, WorkerTally>& workers, const RunState& state, const std::string& writer) {
  if (state.claimed_utc == 0 && state.attempt == 0) return;
  WorkerTally& worker = workers[state.worker];
  worker.figures.id = state.worker;
  take_gpus(worker, state);
  if (completed(state)) ++worker.figures.completed;
  if (failed(state)) ++worker.figures.failed;
  if (completed(state) || failed(state)) worker.sum += state.duration;
  if (state.owner != writer || state.claimed_utc <= 0) return;
  if (worker.first_claim == 0 || state.claimed_utc < worker.first_claim)
    worker.first_claim = state.claimed_utc;
  worker.last_end = std::max(worker.last_end, state.finished_utc);
}

void add_workers(StatusReport& report, std::map<int, WorkerTally>& tallies,
                 const Observation& seen) {
  const campaign::Heartbeat* beat = newest(seen.beats);
  const bool runs = report.state == "running";
  if (beat != nullptr)
    for (const campaign::Heartbeat::Worker& worker : beat->workers) {
      WorkerFigures& figures = tallies[worker.id].figures;
      figures.id = worker.id;
      figures.initialization = positive(worker.initialization_ms / 1000);
      if (!runs) continue;
      figures.run = worker.run;
      figures.stage = worker.stage;
      figures.wait = worker.wait;
      figures.since_utc = worker.started_utc;
    }
  for (auto& [id, tally] : tallies) {
    WorkerFigures figures = tally.figures;
    const std::size_t ended = figures.completed + figures.failed;
    if (ended > 0) {
      figures.total = tally.sum;
      figures.mean = tally.sum / static_cast<double>(ended);
    }
    figures.uptime = time_between(tally.first_claim, runs ? seen.utc : tally.last_end);
    report.workers.push_back(std::move(figures));
  }
}

// What is left at the pace so far: the mean of an experiment's own runs, else of all, with the gap
// before each.
std::optional<double> remaining(const Observation& seen, const std::vector<Figures>& experiments) {
  std::vector<double> all;
  for (const Figures& one : experiments)
    all.insert(all.end(), one.durations.begin(), one.durations.end());
  const std::optional<double> overall = campaign::mean(all);
  if (!overall) return std::nullopt;
  std::vector<double> pace;
  for (const Figures& one : experiments)
    pace.push_back(campaign::mean(one.durations).value_or(*overall));
  const campaign::Campaign& campaign = seen.view->campaign;
  double sum = 0;
  for (const campaign::PlannedRun& planned : seen.view->manifest.plan.runs) {
    const RunState& state =
        seen.view->fold.run(campaign::run_id(seen.view->manifest.plan, planned));
    if (state.done()) continue;
    const double spent = state.phase == RunPhase::running && state.started_utc > 0
                             ? seen.utc - state.started_utc
                             : 0;
    sum += std::max(0.0, pace[planned.experiment] - spent);
    if (!under_way(state)) sum += campaign::config_gap(campaign);
  }
  return sum / std::max(1, campaign.execution.workers);
}

void set_wait(StatusReport& report, const Observation& seen) {
  const campaign::Heartbeat* beat = newest(seen.beats);
  if (report.state != "running" || beat == nullptr || beat->wait_reason.empty()) return;
  report.wait = WaitFigures{
      .stage = beat->stage, .reason = beat->wait_reason, .until_utc = beat->wait_until_utc};
}

void set_warnings(StatusReport& report, const Observation& seen) {
  if (seen.view->reading.damaged())
    report.warnings.emplace_back("the journal is damaged: `campaignctl journal fsck` says where");
  if (!seen.view->fold.violations.empty())
    report.warnings.emplace_back(
        "the journal holds impossible transitions: `campaignctl journal fsck`");
}

void set_head(StatusReport& report, const Observation& seen) {
  const SessionView& view = *seen.view;
  report.campaign_id = view.manifest.campaign_id;
  report.name = view.manifest.name;
  report.session = view.manifest.session;
  report.uid = view.manifest.uid;
  report.computed_utc = seen.utc;
  set_state(report, seen);
  const double end = report.state == "running" ? seen.utc
                     : view.fold.ended_utc > 0 ? view.fold.ended_utc
                                               : view.fold.last_utc;
  report.duration = time_between(view.fold.started_utc, end);
  report.total = view.manifest.plan.runs.size();
}

void add_run(StatusReport& report, const RunState& state) {
  if (completed(state))
    ++report.completed;
  else if (failed(state))
    ++report.failed;
  else if (state.phase == RunPhase::skipped)
    ++report.skipped;
  else if (under_way(state))
    ++report.running;
  else
    ++report.pending;
}

void add_cycle(CycleFigures& cycle, const RunState& state) {
  ++cycle.runs;
  if (completed(state)) ++cycle.completed;
  if (failed(state)) ++cycle.failed;
}

// The runs under way, if any, are those that a controller left behind.
bool nobody_works(const StatusReport& report) {
  return report.state != "running" && report.state != "gone";
}

void finish_cycle(StatusReport& report, CycleFigures& cycle, const Figures& figures) {
  cycle.state = cycle_state(figures, cycle.runs);
  const bool running = report.state == "running" && cycle.state != "done";
  if (cycle.state == "partial" && running) cycle.state = "running";
  if (cycle.state == "running" && nobody_works(report)) cycle.state = "interrupted";
  cycle.duration = time_between(figures.first, running ? report.computed_utc : figures.last);
  cycle.mean = campaign::mean(figures.durations);
  cycle.p50 = campaign::percentile(figures.durations, 50);
  cycle.p95 = campaign::percentile(figures.durations, 95);
  if (cycle.state == "done") ++report.cycles_completed;
  if (cycle.state != "pending") report.cycle = std::max(report.cycle, cycle.cycle);
  report.cycles_list.push_back(cycle);
}

}  // namespace

StatusReport make_status(const Observation& seen) {
  StatusReport report;
  set_head(report, seen);
  const campaign::Plan& plan = seen.view->manifest.plan;
  const campaign::Heartbeat* beat = newest(seen.beats);
  const std::string writer = beat == nullptr ? "" : beat->writer;
  std::map<int, std::pair<CycleFigures, Figures>> cycles;
  std::vector<Figures> experiments(plan.experiments.size());
  std::map<int, WorkerTally> workers;
  for (const campaign::PlannedRun& planned : plan.runs) {
    const std::string id = campaign::run_id(plan, planned);
    const RunState& state = seen.view->fold.run(id);
    add_run(report, state);
    auto& [cycle, figures] = cycles[planned.cycle];
    cycle.cycle = planned.cycle;
    add_cycle(cycle, state);
    count(figures, state);
    count(experiments[planned.experiment], state);
    tally(workers, state, writer);
    if (seen.with_runs) report.runs.push_back(run_figures(seen, planned, id));
  }
  for (const auto& [id, pilot] : seen.view->fold.pilots)
    if (const auto worker = workers.find(pilot.worker); worker != workers.end())
      take_gpus(worker->second, pilot);
  report.cycles = static_cast<int>(cycles.size());
  for (auto& [number, both] : cycles) finish_cycle(report, both.first, both.second);
  add_workers(report, workers, seen);
  if (report.state == "running") report.remaining = remaining(seen, experiments);
  if (report.state == "running" && beat != nullptr) report.services = beat->services;
  set_wait(report, seen);
  set_warnings(report, seen);
  return report;
}

Observation look(const SessionView& view) {
  std::array<char, 256> host{};
  gethostname(host.data(), host.size() - 1);
  return {.view = &view,
          .beats = campaign::read_heartbeats(view.located.session.heartbeat()),
          .held = !campaign::lock_is_free(view.located.session.lock()),
          .host = host.data(),
          .utc = campaign::system_clock().utc()};
}

}  // namespace controller::cli
