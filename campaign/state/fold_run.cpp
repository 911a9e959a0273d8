#include "campaign/state/fold_run.hpp"

#include <algorithm>

namespace campaign {

namespace {

constexpr std::size_t violations_kept = 1000;

enum Seen : unsigned { claim_seen = 1, adoption_seen = 2, start_known = 4 };

constexpr char unclaimed[] = "goes on without a claim";
constexpr char unended[] = "never ended, yet another began";
constexpr char set_back[] = "set back before it ended";

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

RunState untouched(const RunState& run) {
  RunState fresh;
  fresh.attempt = run.attempt;
  fresh.failures = run.failures;
  fresh.interruptions = run.interruptions;
  fresh.repeated = run.repeated;
  fresh.released = run.released;
  fresh.barrier = run.barrier;
  return fresh;
}

void begin_attempt(const RunChange& change, int attempt) {
  RunState& run = change.run;
  if (is_open(run)) note(change, run.attempt, unended);
  if (run.done()) note(change, run.attempt, "was done, yet another began");
  run = untouched(run);
  run.attempt = attempt;
}

// True when an event of this attempt decides the run's state; else it belongs to the past.
bool is_current(const RunChange& change, int attempt) {
  RunState& run = change.run;
  if (change.stamp < run.barrier) {
    const bool idle = run.phase == RunPhase::pending || run.phase == RunPhase::skipped;
    if (idle && attempt > run.attempt && attempt != run.released) run.attempt = attempt;
    return false;
  }
  if (attempt < run.attempt) return false;
  if (attempt > run.attempt) begin_attempt(change, attempt);
  return true;
}

bool before_hand_over(const RunChange& change) {
  const Stamp& last = change.run.handed_over;
  return change.stamp.generation == last.generation && change.stamp.writer == last.writer &&
         change.stamp.seq <= last.seq;
}

bool comes_after_end(const RunChange& change) {
  return has_ended(change.run) && change.run.ended < change.stamp && !before_hand_over(change);
}

void need_claim(const RunChange& change) {
  if ((change.run.seen & claim_seen) == 0) note(change, change.run.attempt, unclaimed);
}

void reach(RunState& run, RunPhase phase) {
  if (!has_ended(run)) run.phase = std::max(run.phase, phase);
}

void set_to(const RunChange& change, RunPhase phase) {
  RunState& run = change.run;
  run = untouched(run);
  run.phase = phase;
  run.barrier = change.stamp;
}

// Decides whether this event is the one that ends the attempt: a completion always is, else the
// later one.
bool ends(const RunChange& change, int attempt, RunPhase phase) {
  RunState& run = change.run;
  clear(change, attempt, unended);
  if (change.stamp < run.barrier) clear(change, attempt, set_back);
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
  if (!is_current(change, e.attempt)) return;
  if (comes_after_end(change)) return note(change, e.attempt, "claimed after its end");
  run.seen |= claim_seen;
  reach(run, RunPhase::initialised);
  if (run.claimed < change.stamp) {
    run.claimed = change.stamp;
    run.worker = e.worker;
    run.position = e.position;
    run.container = e.container;
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
  run.container_id = e.container_id;
  run.pid = e.pid;
  run.pid_start = e.pid_start;
  if ((run.seen & start_known) == 0) run.started_utc = e.utc;
}

void apply_to_run(const RunChange& change, const event::Adopted& e) {
  RunState& run = change.run;
  if (!is_current(change, e.attempt)) return;
  if (comes_after_end(change)) return note(change, e.attempt, "adopted after its end");
  need_claim(change);
  reach(run, RunPhase::initialised);
  run.seen |= adoption_seen;
  run.resumed = true;
  if (run.container_id.empty()) run.container_id = e.container_id;
  if (run.owned < change.stamp || run.owner == e.from) {
    run.owned = change.stamp;
    run.owner = change.writer;
    run.handed_over = stamp_of(e.from, e.from_seq);
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
  take_times(run, e);
}

void apply_to_run(const RunChange& change, const event::Failed& e) {
  RunState& run = change.run;
  ++run.failures;
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
  const bool past =
      change.stamp < run.barrier || (e.attempt == run.attempt && change.stamp < run.claimed);
  if (e.attempt < run.attempt && !past) return;
  if (!past && e.attempt == run.attempt && run.phase != RunPhase::initialised) {
    return note(change, e.attempt, "released though it was not waiting to start");
  }
  run.released = e.attempt;
  if (past) {
    const bool idle = run.phase == RunPhase::pending || run.phase == RunPhase::skipped;
    if (idle && run.attempt == e.attempt) --run.attempt;
    run.barrier = std::max(run.barrier, change.stamp);
    return;
  }
  if (e.attempt > run.attempt) note(change, e.attempt, unclaimed);
  set_to(change, RunPhase::pending);
  run.attempt = e.attempt - 1;
}

void apply_to_run(const RunChange& change, const event::Skipped& e) {
  RunState& run = change.run;
  if (change.stamp < run.barrier) return clear(change, run.attempt, set_back);
  if (change.stamp < run.claimed) return;
  const bool waits = run.phase == RunPhase::pending || run.phase == RunPhase::initialised ||
                     run.phase == RunPhase::interrupted ||
                     (run.phase == RunPhase::failed && !run.final);
  if (!waits) return note(change, run.attempt, "skipped though it was under way or done");
  set_to(change, RunPhase::skipped);
  run.message = e.reason;
}

void apply_to_run(const RunChange& change, const event::Reopened&) {
  RunState& run = change.run;
  run.repeated = true;
  if (change.stamp < run.barrier || change.stamp < run.claimed) {
    run.barrier = std::max(run.barrier, change.stamp);
    return;
  }
  if (!has_ended(run) && run.phase != RunPhase::skipped) note(change, run.attempt, set_back);
  set_to(change, RunPhase::pending);
}

void apply_to_run(const RunChange& change, const event::Superseded& e) {
  RunState& run = change.run;
  run.repeated = true;
  if (change.stamp < run.barrier || e.attempt < run.attempt) return;
  const bool accepted = run.phase == RunPhase::completed || run.phase == RunPhase::aggregated;
  const bool reopened = run.phase == RunPhase::pending && run.attempt == e.attempt;
  if (!accepted && !reopened) note(change, e.attempt, set_back);
  set_to(change, RunPhase::pending);
  run.attempt = e.attempt;
}

void apply_pilot(const RunChange& change, const event::PilotDone& e) {
  RunState& run = change.run;
  if (e.attempt < run.attempt || (e.attempt == run.attempt && change.stamp < run.ended)) return;
  if (e.attempt > run.attempt) {
    run = untouched(run);
    run.attempt = e.attempt;
  }
  run.phase = e.ok ? RunPhase::completed : RunPhase::failed;
  run.ended = change.stamp;
  run.final = !e.ok;
  run.duration = e.duration;
  run.message = e.message;
}

}  // namespace campaign
