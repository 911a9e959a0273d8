// The files of a session, opened for writing: lock, manifest, fold, journal. Decides whether a
// session is begun, gone on with, or has ended, and what a changed plan means.
#pragma once

#include "campaign/state/files.hpp"
#include "controller/ledger.hpp"
#include "controller/session.hpp"

namespace controller {

struct OpenState {
  std::unique_ptr<campaign::Lock> lock;
  Located located;
  campaign::Campaign campaign;
  campaign::Manifest manifest;
  campaign::ResultsFolder results;
  campaign::Fold fold;
  std::map<std::string, std::int64_t> offsets;  // of earlier writers' journals, for snapshots
  std::unique_ptr<campaign::Journal>
      journal;           // not opened when the session has ended and nothing is to be done
  bool created = false;  // the manifest is not stored yet: store_new_session does it
  bool revised = false;  // the plan grew or was changed: store_revision
  int unrecorded = 0;    // a revision that is stored and not in the journal: its controller died
  std::vector<campaign::PlanChange> changes;
  std::optional<Located> abandoned;       // --new over an unfinished session
  std::vector<std::string> changed_runs;  // of changed experiments, to be run again
};

// Throws CommandError: held (names the holder), damaged, usage (a changed plan, listed),
// environment (ownership).
OpenState open_state(const SessionRequest& request, const campaign::Clock& clock);

// Writes the manifest, the journal's first records and the `latest` links. Images are known by now.
void store_new_session(OpenState& state, const std::string& engine_id,
                       const campaign::Clock& clock);
// Makes the `latest` links of a session that is taken up, where its first controller was killed
// before it had made both.
void restore_links(const OpenState& state);
// Makes a revised plan durable, and with it, in the same breath of the journal, that its changed
// runs run again.
void store_revision(OpenState& state);

// A result in raw/ that the journal does not know is taken for ours by its uid alone. Throws
// CommandError(environment) that names the folder and one of another session; nothing has been
// touched by then.
void refuse_foreign_results(const OpenState& state);

// A run becomes pending again, its accepted result counts no more. finish_superseding moves that
// result away afterwards, and any of an experiment that is another one by now: what the journal
// says comes first, and the next controller makes up for a move that is missing.
std::vector<campaign::Event> reopening(const campaign::Fold& fold, const std::string& run,
                                       const std::string& reason);
void finish_superseding(const OpenState& state);

// The plan as this campaign file has it, against an earlier session: names kept, order grown. Pure.
struct Continuation {
  campaign::Plan plan;
  std::vector<campaign::PlanChange> changes;
  bool needs_consent = false;             // something changed or was removed, or the protocol
  std::vector<std::string> changed_runs;  // of changed experiments: run again
};
Continuation continue_plan(const campaign::Campaign& now, const campaign::Manifest& before,
                           const campaign::Fold& fold);

campaign::ResultsFolder results_folder(const campaign::Manifest& manifest);
bool finished(const campaign::Fold& fold);
int exit_code_of(const campaign::Plan& plan, const campaign::Fold& fold);  // 0 or 1; all runs done

}  // namespace controller
