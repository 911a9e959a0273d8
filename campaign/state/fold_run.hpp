// One event's effect on one run. Events of an attempt are merged by what they say, not by when they
// arrive: the phase is the furthest that any of them reached, an event older than the run's barrier
// only counts, and one of an earlier attempt only counts. README.md tells why this gives the same
// state for every interleaving.
#pragma once

#include "campaign/state/fold.hpp"

namespace campaign {

struct RunChange {
  Fold& fold;
  RunState& run;
  const std::string& name;
  const std::string& writer;
  Stamp stamp;
  double utc;
};

void apply_to_run(const RunChange& change, const event::Claimed& e);
void apply_to_run(const RunChange& change, const event::Starting& e);
void apply_to_run(const RunChange& change, const event::Adopted& e);
void apply_to_run(const RunChange& change, const event::Exited& e);
void apply_to_run(const RunChange& change, const event::Completed& e);
void apply_to_run(const RunChange& change, const event::Failed& e);
void apply_to_run(const RunChange& change, const event::Interrupted& e);
void apply_to_run(const RunChange& change, const event::Released& e);
void apply_to_run(const RunChange& change, const event::Skipped& e);
void apply_to_run(const RunChange& change, const event::Reopened& e);
void apply_to_run(const RunChange& change, const event::Superseded& e);
void apply_pilot(const RunChange& change, const event::PilotDone& e);
// After each event of the run: a skip that was refused takes effect once the run is known to wait.
void settle_skip(Fold& fold, RunState& run, const std::string& name);

Stamp stamp_of(const std::string& writer, std::int64_t seq);
void note_violation(Fold& fold, const std::string& text);
void clear_violation(Fold& fold, const std::string& text);

}  // namespace campaign
