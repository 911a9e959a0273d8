#include "campaign/state/fold.hpp"

#include <algorithm>
#include <array>

#include "campaign/state/crc32c.hpp"
#include "campaign/state/fold_run.hpp"
#include "campaign/state/journal.hpp"
#include "campaign/state/writer_name.hpp"

namespace campaign {

namespace {

constexpr std::size_t outcomes_kept = 1000;

constexpr std::array phase_names = {"pending",    "initialised", "running",     "completed",
                                    "aggregated", "failed",      "interrupted", "skipped"};

template <class E>
constexpr bool moves = !std::is_same_v<E, event::Adopted> && !std::is_same_v<E, event::Released> &&
                       !std::is_same_v<E, event::Interrupted>;

class Applier {
 public:
  Applier(Fold& fold, const Record& record)
      : fold_(fold),
        record_(record),
        stamp_(stamp_of(record.writer, record.seq)),
        utc_(parse_rfc3339(record.t)) {}

  void apply() {
    fold_.last_utc = std::max(fold_.last_utc, utc_);
    std::visit([this](const auto& event) { on(event); }, record_.event);
  }

 private:
  bool is_latest(const std::string& name) {
    Stamp& stamp = fold_.latest[name];
    if (stamp_ < stamp) return false;
    stamp = stamp_;
    return true;
  }

  RunState& state(const std::string& run) {
    return is_pilot(run) ? fold_.pilots[run] : fold_.runs[run];
  }

  template <class E>
  void on_run(const E& event) {
    RunState& run = state(event.run);
    if (moves<E>) run.moved = std::max(run.moved, stamp_);
    RunChange change{fold_, run, event.run, record_.writer, stamp_, utc_};
    apply_to_run(change, event);
    settle_skip(fold_, run, event.run);
    drop_gap(event.run, run);
  }

  void drop_gap(const std::string& name, const RunState& run) {
    const auto gap = fold_.gaps.find(name);
    if (gap == fold_.gaps.end()) return;
    if (gap->second.stamp > run.moved) return;
    fold_.gaps.erase(gap);
    choose_gap(fold_);
  }

  void outcome(const std::string& run, FailureClass cls) {
    if (is_pilot(run) || stamp_ < fold_.latest["paused"]) return;
    auto& stamps = fold_.outcome_stamps;
    const auto at = std::upper_bound(stamps.begin(), stamps.end(), stamp_) - stamps.begin();
    stamps.insert(stamps.begin() + at, stamp_);
    fold_.outcomes.emplace(fold_.outcomes.begin() + at, run, cls);
    if (stamps.size() > outcomes_kept) forget_outcomes(1);
  }

  void forget_outcomes(std::ptrdiff_t count) {
    fold_.outcome_stamps.erase(fold_.outcome_stamps.begin(), fold_.outcome_stamps.begin() + count);
    fold_.outcomes.erase(fold_.outcomes.begin(), fold_.outcomes.begin() + count);
  }

  void finished_at(double utc, double boottime) {
    const std::tuple now(utc, boottime, std::string_view(record_.boot));
    const std::tuple last(fold_.last_finished_utc, fold_.last_finished_boottime,
                          std::string_view(fold_.last_finished_boot));
    if (now <= last) return;
    fold_.last_finished_utc = utc;
    fold_.last_finished_boottime = boottime;
    fold_.last_finished_boot = record_.boot;
  }

  // Runs are being started again: the session is not over.
  void goes_on() {
    if (is_latest("finished")) fold_.finished.reset();
  }

  void ends() {
    if (is_latest("ended")) fold_.ended_utc = utc_;
  }

  void on(const event::SessionStarted& e) {
    Stamp& first = fold_.latest["session"];
    if (!fold_.uid.empty() && fold_.uid != e.uid) {
      note_violation(fold_, "two sessions in one journal: " + std::min(fold_.uid, e.uid) + " and " +
                                std::max(fold_.uid, e.uid));
    }
    if (!fold_.uid.empty() && first < stamp_) return;
    first = stamp_;
    fold_.uid = e.uid;
    fold_.session = e.session;
    fold_.campaign_id = e.campaign_id;
    fold_.started_utc = utc_;
  }
  void on(const event::ControllerStarted&) {
    if (is_latest("paused reason")) fold_.paused.clear();
    if (is_latest("drained")) fold_.drained.clear();
    if (is_latest("ended")) fold_.ended_utc = 0;
  }
  void on(const event::Claimed& e) {
    fold_.position = std::max(fold_.position, e.position);
    goes_on();
    on_run(e);
  }
  void on(const event::GapStarted& e) {
    PendingGap& gap = fold_.gaps[e.run];
    if (gap.stamp < stamp_) gap = {stamp_, e.until};
    drop_gap(e.run, fold_.run(e.run));
    choose_gap(fold_);
  }
  void on(const event::Starting& e) {
    on_run(e);
    for (const auto& [sensor, celsius] : e.gap.celsius) {
      const auto [first, fresh] = fold_.first_warmth.try_emplace(sensor);
      if (fresh || stamp_ < first->second.stamp) first->second = {stamp_, celsius};
    }
  }
  void on(const event::Adopted& e) { on_run(e); }
  void on(const event::Exited& e) { on_run(e); }
  void on(const event::Completed& e) {
    on_run(e);
    outcome(e.run, FailureClass::none);
    finished_at(e.finished_utc, e.finished_boottime);
  }
  void on(const event::Failed& e) {
    on_run(e);
    outcome(e.run, e.cls);
    finished_at(e.finished_utc, e.finished_boottime);
  }
  void on(const event::Interrupted& e) { on_run(e); }
  void on(const event::Released& e) { on_run(e); }
  void on(const event::Skipped& e) { on_run(e); }
  void on(const event::Reopened& e) {
    goes_on();
    on_run(e);
  }
  void on(const event::Superseded& e) { on_run(e); }
  void on(const event::PilotDone& e) {
    const std::string name = e.experiment + ".p";
    RunState& run = fold_.pilots[name];
    apply_pilot({fold_, run, name, record_.writer, stamp_, utc_}, e);
  }
  void on(const event::CycleEntered& e) {
    fold_.cycle_entered = std::max(fold_.cycle_entered, e.cycle);
  }
  void on(const event::PlanRevised& e) {
    fold_.revision = std::max(fold_.revision, e.revision);
    goes_on();
  }
  void on(const event::ImageResolved& e) {
    if (is_latest("image " + e.image)) fold_.images[e.image] = e;
  }
  void on(const event::CleanupOwed& e) {
    if (is_latest("cleanup")) fold_.cleanup_owed = e.argv;
  }
  void on(const event::CleanupDone&) {
    if (is_latest("cleanup")) fold_.cleanup_owed.reset();
  }
  void on(const event::Paused& e) {
    ends();
    if (is_latest("paused reason")) fold_.paused = e.reason;
    if (!is_latest("paused")) return;
    const auto& stamps = fold_.outcome_stamps;
    forget_outcomes(std::lower_bound(stamps.begin(), stamps.end(), stamp_) - stamps.begin());
  }
  void on(const event::Drained& e) {
    ends();
    if (is_latest("drained")) fold_.drained = e.reason;
  }
  void on(const event::Abandoned&) {
    ends();
    fold_.abandoned = true;
  }
  void on(const event::Finished& e) {
    ends();
    if (is_latest("finished")) fold_.finished = e.exit_code;
  }

  Fold& fold_;
  const Record& record_;
  Stamp stamp_;
  double utc_;
};

}  // namespace

const char* name_of(RunPhase phase) { return phase_names.at(static_cast<std::size_t>(phase)); }

bool RunState::done() const {
  return phase == RunPhase::completed || phase == RunPhase::aggregated ||
         phase == RunPhase::skipped || (phase == RunPhase::failed && final);
}

const RunState& Fold::run(const std::string& run_id) const {
  static const RunState untouched;
  if (is_pilot(run_id)) {
    const auto found = pilots.find(run_id);
    return found == pilots.end() ? untouched : found->second;
  }
  const auto found = runs.find(run_id);
  return found == runs.end() ? untouched : found->second;
}

bool is_pilot(const std::string& run_id) { return run_id.ends_with(".p"); }

void choose_gap(Fold& fold) {
  fold.gap.reset();
  fold.gap_run.clear();
  for (const auto& [name, entry] : fold.gaps) {
    if (fold.gap && entry.until.utc <= fold.gap->utc) continue;
    fold.gap = entry.until;
    fold.gap_run = name;
  }
}

Stamp stamp_of(const std::string& writer, std::int64_t seq) {
  return {generation_of(writer), crc32c(writer), seq};
}

void apply(Fold& fold, const Record& record) {
  std::int64_t& last = fold.last_seq[record.writer];
  if (record.seq <= last) return;
  last = record.seq;
  Applier(fold, record).apply();
}

}  // namespace campaign
