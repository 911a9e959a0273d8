#include "campaign/state/fold_run.hpp"

#include <algorithm>

namespace campaign {

namespace {

constexpr std::size_t violations_kept = 1000;

enum Seen : unsigned { claim_seen = 1, adoption_seen = 2, start_known = 4 };

constexpr char unclaimed[] = "goes on without a claim";
constexpr char unended[] = "never ended, yet another began";
constexpr char done_before[] = ": another attempt began though it was done";
constexpr char not_waiting[] = ": skipped though it was under way or done";
constexpr char set_back[] = ": set back before it ended";

bool has_ended(const RunState& run) {
  return run.phase == RunPhase::completed || run.phase == RunPhase::aggregated ||
         run.phase == RunPhase::failed || run.phase == RunPhase::interrupted;
}

bool is_open(const RunState& run) {
  return run.phase == RunPhase::initialised || run.phase == RunPhase::running;
}

std::string about(const RunChange& change, int attempt, const char* what) {
  return change.name + " attempt " + std::to_string(attempt) + ": " + what;
}

void note(const RunChange& change, int attempt, const char* what) {
  if (!is_pilot(change.name)) note_violation(change.fold, about(change, attempt, what));
}

void clear(const RunChange& change, int attempt, const char* what) {
  clear_violation(change.fold, about(change, attempt, what));
}

void note_set_back(const RunChange& change) {
  if (!is_pilot(change.name)) note_violation(change.fold, change.name + set_back);
}

void clear_set_back(const RunChange& change) {
  if (change.stamp < change.run.barrier) clear_violation(change.fold, change.name + set_back);
}

// Attempts are numbered without holes: that attempt n is named means that all before it were used.
int last_used(const RunState& run) {
  return run.top_used < run.top_released ? run.top - 1 : run.top;
}

enum class Use { used, released };
void track(const RunChange& change, int attempt, Use use) {
  RunState& run = change.run;
  if (attempt > run.top) {
    run.top = attempt;
    run.top_used = run.top_released = Stamp{};
  }
  if (attempt < run.top) return;
  Stamp& stamp = use == Use::used ? run.top_used : run.top_released;
  stamp = std::max(stamp, change.stamp);
  run.released = run.top_used < run.top_released ? run.top : 0;
}

bool waits(const RunState& run) {
  return run.phase == RunPhase::pending || run.phase == RunPhase::initialised ||
         run.phase == RunPhase::interrupted || (run.phase == RunPhase::failed && !run.final);
}

bool is_idle(const RunState& run) {
  return run.phase == RunPhase::pending || run.phase == RunPhase::skipped;
}

void forget_refused_skip(Fold& fold, RunState& run, const std::string& name) {
  clear_violation(fold, name + not_waiting);
  run.refused_skip = Stamp{};
  run.refused_reason.clear();
}

// An earlier event that arrives late may be the one that made a refused skip legal.
void explain_refused_skip(const RunChange& change) {
  RunState& run = change.run;
  const bool over = run.refused_skip < run.barrier || run.refused_skip < run.newest;
  if (over && change.stamp < run.refused_skip) {
    forget_refused_skip(change.fold, run, change.name);
  }
}

// True when later events have decided the run's state already: only the order remains to be kept.
bool is_past(const RunChange& change) {
  RunState& run = change.run;
  if (change.stamp >= run.barrier && change.stamp >= run.newest) return false;
  explain_refused_skip(change);
  run.barrier = std::max(run.barrier, change.stamp);
  if (is_idle(run)) run.attempt = last_used(run);
  return true;
}

RunState untouched(const RunState& run) {
  RunState fresh;
  fresh.attempt = run.attempt;
  fresh.failures = run.failures;
  fresh.reruns = run.reruns;
  fresh.interruptions = run.interruptions;
  fresh.repeated = run.repeated;
  fresh.released = run.released;
  fresh.top = run.top;
  fresh.top_used = run.top_used;
  fresh.top_released = run.top_released;
  fresh.barrier = run.barrier;
  fresh.moved = run.moved;
  fresh.refused_skip = run.refused_skip;
  fresh.refused_reason = run.refused_reason;
  return fresh;
}

// The same attempt once more: it was released, or a successor creates it again.
void begin_life(RunState& run, const Stamp& stamp) {
  run = untouched(run);
  run.newest = stamp;
}

void begin_attempt(const RunChange& change, int attempt) {
  RunState& run = change.run;
  if (is_open(run)) note(change, run.attempt, unended);
  if (run.done() && !is_pilot(change.name)) note_violation(change.fold, change.name + done_before);
  run = untouched(run);
  run.attempt = attempt;
}

// True when an event of this attempt decides the run's state; else it belongs to the past.
bool is_current(const RunChange& change, int attempt) {
  RunState& run = change.run;
  track(change, attempt, Use::used);
  explain_refused_skip(change);
  if (change.stamp < run.barrier) {
    if (is_idle(run)) run.attempt = last_used(run);
    return false;
  }
  if (attempt < run.attempt) return false;
  if (attempt > run.attempt) begin_attempt(change, attempt);
  run.newest = std::max(run.newest, change.stamp);
  return true;
}

// The writer of one stamp wrote the other, too.
bool same_writer(const Stamp& a, const Stamp& b) {
  return a.generation == b.generation && a.writer == b.writer;
}

bool before_hand_over(const RunChange& change) {
  const Stamp& last = change.run.handed_over;
  return same_writer(change.stamp, last) && change.stamp.seq <= last.seq;
}

bool comes_after_end(const RunChange& change) {
  return has_ended(change.run) && change.run.ended < change.stamp && !before_hand_over(change);
}

void need_claim(const RunChange& change) {
  if ((change.run.seen & claim_seen) == 0) note(change, change.run.attempt, unclaimed);
}

void reach(RunState& run, RunPhase phase) {
  if (is_idle(run)) {
    run.phase = phase;
    run.message.clear();
  }
  if (!has_ended(run)) run.phase = std::max(run.phase, phase);
}

void set_to(const RunChange& change, RunPhase phase) {
  RunState& run = change.run;
  run = untouched(run);
  run.phase = phase;
  run.attempt = last_used(run);
  run.barrier = change.stamp;
}

// Decides whether this event is the one that ends the attempt: a completion always is, else the
// later one.
bool ends(const RunChange& change, int attempt, RunPhase phase) {
  RunState& run = change.run;
  clear(change, attempt, unended);
  clear_set_back(change);
  if (!is_current(change, attempt)) return false;
  need_claim(change);
  if (has_ended(run)) {
    const bool later = run.ended < change.stamp;
    const RunPhase first = later ? run.phase : phase;
    const RunPhase second = later ? phase : run.phase;
    if (first != RunPhase::interrupted || second == RunPhase::interrupted) {
      note(change, attempt, "ended twice");
    }
    const bool kept = run.phase == RunPhase::completed || run.phase == RunPhase::aggregated;
    if (phase != RunPhase::completed && (kept || !later)) return false;
  }
  run.phase = phase;
  run.ended = change.stamp;
  run.gap = {};
  run.final = false;
  run.retry_not_before_utc = 0;
  run.message.clear();
  return true;
}

template <class E>
void take_times(RunState& run, const E& e) {
  run.duration = e.duration;
  run.finished_utc = e.finished_utc;
  const auto collect = e.stages.find("collect");
  run.verification = collect == e.stages.end() ? 0 : collect->second;
  if (e.started_utc == 0) return;
  run.started_utc = e.started_utc;
  run.seen |= start_known;
}

}  // namespace

void note_violation(Fold& fold, const std::string& text) {
  auto& notes = fold.violations;
  const auto at = std::lower_bound(notes.begin(), notes.end(), text);
  if (notes.size() < violations_kept && (at == notes.end() || *at != text)) notes.insert(at, text);
}

void clear_violation(Fold& fold, const std::string& text) {
  auto& notes = fold.violations;
  const auto at = std::lower_bound(notes.begin(), notes.end(), text);
  if (at != notes.end() && *at == text) notes.erase(at);
}

void apply_to_run(const RunChange& change, const event::Claimed& e) {
  RunState& run = change.run;
  clear(change, e.attempt, unclaimed);
  const bool again = e.attempt == run.attempt && run.newest < change.stamp;
  if (!is_current(change, e.attempt)) return;
  if (comes_after_end(change)) return note(change, e.attempt, "claimed after its end");
  if (again && run.phase == RunPhase::running)
    return note(change, e.attempt, "claimed again while it ran");
  if (again && run.phase == RunPhase::initialised) begin_life(run, change.stamp);
  run.seen |= claim_seen;
  reach(run, RunPhase::initialised);
  if (run.claimed < change.stamp) {
    run.claimed = change.stamp;
    run.worker = e.worker;
    run.position = e.position;
    run.container = e.container;
    run.service = e.service;
    run.gpus = e.gpus;
    run.engine_id = e.engine_id;
    run.host = e.host;
    run.claimed_utc = change.utc;
  }
  if (run.owned < change.stamp && !before_hand_over(change)) {
    run.owned = change.stamp;
    run.owner = change.writer;
  }
}

void apply_to_run(const RunChange& change, const event::Starting& e) {
  RunState& run = change.run;
  if (!is_current(change, e.attempt)) return;
  if (comes_after_end(change)) return note(change, e.attempt, "started after its end");
  need_claim(change);
  reach(run, RunPhase::running);
  if (change.stamp < run.started) return;
  run.started = change.stamp;
  if (!has_ended(run)) run.gap = e.gap;
  run.container_id = e.container_id;
  run.server = e.server;
  run.pid = e.pid;
  run.pid_start = e.pid_start;
  if ((run.seen & start_known) == 0) run.started_utc = e.utc;
}

void apply_to_run(const RunChange& change, const event::Adopted& e) {
  RunState& run = change.run;
  if (!is_current(change, e.attempt)) return;
  if (comes_after_end(change)) return note(change, e.attempt, "adopted after its end");
  const Stamp from = stamp_of(e.from, e.from_seq);
  if (change.stamp < run.claimed && !same_writer(from, run.claimed)) return;
  need_claim(change);
  reach(run, RunPhase::initialised);
  run.seen |= adoption_seen;
  run.resumed = true;
  if (run.container_id.empty()) run.container_id = e.container_id;
  if (run.owned < change.stamp || run.owner == e.from) {
    run.owned = change.stamp;
    run.owner = change.writer;
    run.handed_over = from;
  }
}

void apply_to_run(const RunChange& change, const event::Exited& e) {
  RunState& run = change.run;
  if (!is_current(change, e.attempt)) return;
  if (comes_after_end(change)) return note(change, e.attempt, "exited after its end");
  need_claim(change);
  reach(run, RunPhase::running);
  run.exit_known = true;
  if (change.stamp < run.exited) return;
  run.exited = change.stamp;
  if (run.phase == RunPhase::failed) return;
  run.exit_code = e.exit_code;
  run.signal = e.signal;
  if (!has_ended(run)) run.finished_utc = e.finished_utc;
}

void apply_to_run(const RunChange& change, const event::Completed& e) {
  RunState& run = change.run;
  if (!ends(change, e.attempt, RunPhase::completed)) return;
  run.cls = FailureClass::none;
  run.exit_known = true;
  run.resumed = run.resumed || e.resumed;
  run.message = e.invalid;
  take_times(run, e);
}

void apply_to_run(const RunChange& change, const event::Failed& e) {
  RunState& run = change.run;
  ++(e.cls == FailureClass::contaminated ? run.reruns : run.failures);
  if (!ends(change, e.attempt, RunPhase::failed)) return;
  run.cls = e.cls;
  run.exit_known = true;
  run.exit_code = e.exit_code;
  run.signal = e.signal;
  run.message = e.message;
  run.final = e.final;
  run.retry_not_before_utc = e.retry_not_before_utc.value_or(0);
  take_times(run, e);
}

void apply_to_run(const RunChange& change, const event::Interrupted& e) {
  RunState& run = change.run;
  ++run.interruptions;
  if (!ends(change, e.attempt, RunPhase::interrupted)) return;
  run.cls = FailureClass::interrupted;
  run.message = e.reason;
  run.finished_utc = e.utc;
}

void apply_to_run(const RunChange& change, const event::Released& e) {
  RunState& run = change.run;
  const bool waiting = run.phase == RunPhase::initialised && e.attempt == run.attempt;
  const bool past = change.stamp < run.barrier || change.stamp < run.newest;
  if (!past && e.attempt < run.attempt) return;
  if (!past && e.attempt == run.attempt && !waiting) {
    return note(change, e.attempt, "released though it was not waiting to start");
  }
  track(change, e.attempt, Use::released);
  if (is_past(change)) return;
  if (!waiting) note(change, e.attempt, unclaimed);
  set_to(change, RunPhase::pending);
}

void apply_to_run(const RunChange& change, const event::Skipped& e) {
  RunState& run = change.run;
  clear_set_back(change);
  if (is_past(change)) {
    for (int attempt = 1; attempt <= run.top; ++attempt) clear(change, attempt, unended);
    return;
  }
  if (waits(run)) {
    set_to(change, RunPhase::skipped);
    run.message = e.reason;
    return;
  }
  note_violation(change.fold, change.name + not_waiting);
  if (change.stamp < run.refused_skip) return;
  run.refused_skip = change.stamp;
  run.refused_reason = e.reason;
}

void settle_skip(Fold& fold, RunState& run, const std::string& name) {
  if (run.refused_skip == Stamp{}) return;
  const bool newest = run.barrier < run.refused_skip && run.newest < run.refused_skip;
  if (!newest || !waits(run)) return;
  const std::string reason = std::move(run.refused_reason);
  run = untouched(run);
  run.phase = RunPhase::skipped;
  run.barrier = run.refused_skip;
  run.message = reason;
  forget_refused_skip(fold, run, name);
}

void apply_to_run(const RunChange& change, const event::Reopened&) {
  RunState& run = change.run;
  run.repeated = true;
  if (is_past(change)) return clear_violation(change.fold, change.name + done_before);
  if (!has_ended(run) && run.phase != RunPhase::skipped) note_set_back(change);
  set_to(change, RunPhase::pending);
}

void apply_to_run(const RunChange& change, const event::Superseded& e) {
  RunState& run = change.run;
  run.repeated = true;
  track(change, e.attempt, Use::used);
  if (is_past(change)) return clear_violation(change.fold, change.name + done_before);
  if (e.attempt < run.attempt && !is_idle(run)) return;
  const bool accepted = run.phase == RunPhase::completed || run.phase == RunPhase::aggregated;
  if (!accepted && run.phase != RunPhase::pending) note_set_back(change);
  set_to(change, RunPhase::pending);
}

void apply_pilot(const RunChange& change, const event::PilotDone& e) {
  RunState& run = change.run;
  if (e.attempt < run.attempt || (e.attempt == run.attempt && change.stamp < run.ended)) return;
  if (e.attempt > run.attempt) {
    run = untouched(run);
    run.attempt = e.attempt;
  }
  track(change, e.attempt, Use::used);
  run.phase = e.ok ? RunPhase::completed : RunPhase::failed;
  run.gap = {};
  run.ended = change.stamp;
  run.final = !e.ok;
  run.duration = e.duration;
  run.message = e.message;
}

}  // namespace campaign
