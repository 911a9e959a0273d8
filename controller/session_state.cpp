#include "controller/session_state.hpp"

#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <filesystem>
#include <map>
#include <set>

#include "campaign/plan/hash.hpp"
#include "controller/errors.hpp"

namespace controller {

namespace fs = std::filesystem;
using campaign::PlanChange;

namespace {

std::string session_name(double utc) {
  const auto seconds = static_cast<time_t>(utc);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[32];
  strftime(text, sizeof text, "%Y%m%dT%H%M%SZ", &parts);
  return text;
}

std::string host_name() {
  utsname names{};
  uname(&names);
  return names.nodename;
}

void check_ownership(const fs::path& folder) {
  const std::string unsafe = campaign::unsafe_ownership(folder);
  if (!unsafe.empty())
    throw CommandError(ExitCode::environment,
                       unsafe + "\n  campaigns run only from folders that nobody else can change");
}

void take_lock(OpenState& state, const campaign::Clock& clock) {
  auto attempt = campaign::Lock::take(state.located.session.lock(), clock);
  if (!attempt.lock)
    throw CommandError(ExitCode::held,
                       "campaign " + state.located.campaign_id + " is run by " +
                           attempt.holder.text() +
                           "\n  `campaignctl status` shows it, `campaignctl stop` ends it");
  state.lock = std::move(attempt.lock);
}

std::optional<fs::path> newest_session(const fs::path& folder, const std::string& manifest) {
  std::vector<fs::path> sessions;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error))
    if (entry.is_directory() && !entry.is_symlink() && fs::exists(entry.path() / manifest))
      sessions.push_back(entry.path());
  if (sessions.empty()) return std::nullopt;
  return *std::ranges::max_element(sessions);
}

void link_latest(const fs::path& session) {
  const fs::path link = session.parent_path() / "latest",
                 temporary = session.parent_path() / ".latest.new";
  fs::remove(temporary);
  fs::create_directory_symlink(session.filename(), temporary);
  fs::rename(temporary, link);
}

void begin_session(OpenState& state, const campaign::Clock& clock) {
  const fs::path folder = state.located.state_dir / state.located.campaign_id;
  const fs::path results = fs::path(state.campaign.io.results_dir) / state.campaign.id;
  double utc = clock.utc();
  while (fs::exists(folder / session_name(utc)) || fs::exists(results / session_name(utc)))
    utc += 1;
  campaign::Manifest& manifest = state.manifest;
  manifest = {.uid = campaign::draw_uid(),
              .session = session_name(utc),
              .created_utc = clock.utc(),
              .campaign_id = state.campaign.id,
              .name = state.campaign.name,
              .file = state.campaign.file,
              .document = state.campaign.document,
              .services = state.campaign.services,
              .plan = campaign::make_plan(state.campaign),
              .state_dir = state.campaign.io.state_dir,
              .results_dir = state.campaign.io.results_dir,
              .environment = {{"host", host_name()}}};
  manifest.config_hash = campaign::sha256_hex(campaign::canonical_json(manifest.document));
  state.located.session.folder = folder / manifest.session;
  state.created = true;
}

void read_fold(OpenState& state) {
  SessionView view = read_session(state.located);
  if (view.reading.damaged())
    throw CommandError(ExitCode::damaged, "the journal of " +
                                              state.located.session.folder.string() +
                                              " is damaged (" + view.reading.damage.front().file +
                                              ": " + view.reading.damage.front().what +
                                              ")\n  `campaignctl journal fsck` says which runs are "
                                              "in doubt, `--repair` records a decision");
  state.fold = std::move(view.fold);
  state.offsets = std::move(view.reading.offsets);
  state.manifest = std::move(view.manifest);
  if (state.campaign.id.empty()) state.campaign = std::move(view.campaign);
}

bool is_accepted(const campaign::RunState& state) {
  return state.phase == campaign::RunPhase::completed ||
         state.phase == campaign::RunPhase::aggregated;
}

std::vector<std::string> runs_in_raw(const OpenState& state) {
  std::vector<std::string> runs;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(state.results.folder / "raw", none))
    runs.push_back(entry.path().filename());
  return runs;
}

// By run: its experiment's hash.
std::map<std::string, std::string> planned_hashes(const campaign::Plan& plan) {
  std::map<std::string, std::string> hashes;
  for (const campaign::PlannedRun& run : plan.runs)
    hashes.emplace(campaign::run_id(plan, run), plan.experiments[run.experiment].hash);
  return hashes;
}

// A controller that died between a new manifest and its record: what it would have run again is
// told by the results.
void find_unrecorded(OpenState& state) {
  const int latest =
      campaign::latest_revision(state.located.session, state.campaign.io.manifest_filename);
  if (latest <= state.fold.revision) return;
  state.unrecorded = latest;
  for (const campaign::PlannedRun& run : state.manifest.plan.runs) {
    const std::string id = campaign::run_id(state.manifest.plan, run);
    if (!is_accepted(state.fold.run(id))) continue;
    const auto record = campaign::accepted_record(state.results, id);
    if (record && record->hash != state.manifest.plan.experiments[run.experiment].hash)
      state.changed_runs.push_back(id);
  }
}

// Puts the file's plan against the session's; throws when that needs the user's word.
void continue_session(OpenState& state, const UpOptions& options) {
  Continuation next = continue_plan(state.campaign, state.manifest, state.fold);
  if (next.changes.empty()) {
    const auto min_free = state.campaign.io.min_free;
    state.campaign = campaign::campaign_of(state.manifest);
    state.campaign.io.min_free = min_free;
    return;
  }
  if (next.needs_consent && !options.accept_changes) {
    std::string text = "the plan has changed since session " + state.manifest.session + " began:";
    for (const PlanChange& change : next.changes) text += "\n  " + change.text();
    throw CommandError(ExitCode::usage,
                       text +
                           "\n  --accept-changes goes on with the new plan and runs only what "
                           "changed; --new starts a new session");
  }
  state.changes = std::move(next.changes);
  for (std::string& run : next.changed_runs)
    if (std::ranges::find(state.changed_runs, run) == state.changed_runs.end())
      state.changed_runs.push_back(std::move(run));
  state.manifest.plan = std::move(next.plan);
  state.manifest.document = state.campaign.document;
  state.manifest.services = state.campaign.services;
  state.manifest.config_hash =
      campaign::sha256_hex(campaign::canonical_json(state.manifest.document));
  state.revised = true;
}

}  // namespace

campaign::ResultsFolder results_folder(const campaign::Manifest& manifest) {
  return {fs::path(manifest.results_dir) / manifest.campaign_id / manifest.session};
}

bool finished(const campaign::Fold& fold) { return fold.finished.has_value() || fold.abandoned; }

int exit_code_of(const campaign::Plan& plan, const campaign::Fold& fold) {
  for (const auto& run : plan.runs) {
    const campaign::RunPhase phase = fold.run(campaign::run_id(plan, run)).phase;
    if (phase != campaign::RunPhase::completed && phase != campaign::RunPhase::aggregated) return 1;
  }
  return 0;
}

Continuation continue_plan(const campaign::Campaign& now, const campaign::Manifest& before,
                           const campaign::Fold& fold) {
  Continuation next;
  next.plan = campaign::make_plan(now);
  campaign::keep_names(next.plan, before.plan.experiments);
  const campaign::Campaign earlier = campaign::campaign_of(before);
  next.changes = campaign::compare_plans({&earlier, &before.plan}, {&now, &next.plan});
  if (next.changes.empty()) return next;
  for (const PlanChange& change : next.changes)
    next.needs_consent = next.needs_consent || (change.kind != PlanChange::Kind::added_experiment &&
                                                change.kind != PlanChange::Kind::added_cycles);
  std::map<std::string, std::uint32_t> index;
  for (std::uint32_t i = 0; i < next.plan.experiments.size(); ++i)
    index[next.plan.experiments[i].name] = i;
  campaign::Growth growth;
  std::set<std::int32_t> started;
  for (const campaign::PlannedRun& run : before.plan.runs) {
    const campaign::Experiment& experiment = before.plan.experiments[run.experiment];
    const auto found = index.find(experiment.name);
    if (found == index.end() || run.cycle > now.execution.cycles) continue;
    const std::string id = campaign::run_id(before.plan, run);
    const bool touched =
        fold.run(id).attempt > 0 || fold.run(id).phase != campaign::RunPhase::pending;
    if (touched) started.insert(run.cycle);
    if (touched && next.plan.experiments[found->second].hash != experiment.hash)
      next.changed_runs.push_back(id);
    growth.earlier.push_back({.experiment = found->second, .cycle = run.cycle, .block = run.block});
  }
  growth.started_cycles.assign(started.begin(), started.end());
  next.plan.runs =
      campaign::grow_order({.structure = now.execution.structure,
                            .count = static_cast<std::uint32_t>(next.plan.experiments.size()),
                            .cycles = now.execution.cycles,
                            .seed = next.plan.seed},
                           growth);
  return next;
}

OpenState open_state(const SessionRequest& request, const campaign::Clock& clock) {
  OpenState state;
  if (request.located) {
    state.located = *request.located;
  } else {
    state.campaign = *request.campaign;
    state.located.state_dir = state.campaign.io.state_dir;
    state.located.campaign_id = state.campaign.id;
  }
  const fs::path folder = state.located.state_dir / state.located.campaign_id;
  campaign::make_private_folders(folder);
  check_ownership(folder);
  state.located.session.folder = request.located ? state.located.session.folder : folder / "none";
  take_lock(state, clock);
  if (!request.located) {
    const auto newest = newest_session(folder, state.campaign.io.manifest_filename);
    if (newest) state.located.session.folder = *newest;
    if (!newest || request.options.fresh) {
      if (newest) state.abandoned = state.located;
      begin_session(state, clock);
      state.results = results_folder(state.manifest);
      return state;
    }
  }
  check_ownership(state.located.session.folder);
  read_fold(state);
  state.results = results_folder(state.manifest);
  find_unrecorded(state);
  if (!request.located && !state.fold.abandoned) continue_session(state, request.options);
  return state;
}

void store_new_session(OpenState& state, const std::string& engine_id,
                       const campaign::Clock& clock) {
  const campaign::SessionFolder& session = state.located.session;
  for (const fs::path& folder :
       {session.folder, session.journal(), session.heartbeat(), session.control(),
        session.folder / "logs", state.results.folder, state.results.folder / "raw",
        state.results.folder / "attempts", state.results.folder / "ctl"})
    campaign::make_private_folders(folder);
  state.journal = campaign::Journal::create(session.journal(), clock);
  Ledger ledger(*state.journal, state.fold, [] {});
  ledger.append(campaign::event::SessionStarted{.uid = state.manifest.uid,
                                                .session = state.manifest.session,
                                                .campaign_id = state.manifest.campaign_id,
                                                .engine_id = engine_id});
  campaign::store_manifest(session, state.manifest, 0);
  link_latest(session.folder);
  link_latest(state.results.folder);
}

void restore_links(const OpenState& state) {
  for (const fs::path& session : {state.located.session.folder, state.results.folder})
    if (!fs::is_symlink(session.parent_path() / "latest")) link_latest(session);
}

void store_revision(OpenState& state) {
  int revision = state.unrecorded;
  if (state.revised) {
    revision = std::max(state.fold.revision, state.unrecorded) + 1;
    campaign::store_manifest(state.located.session, state.manifest, revision);
  }
  std::vector<std::string> changes;
  for (const PlanChange& change : state.changes) changes.push_back(change.text());
  std::vector<campaign::Event> events = {
      campaign::event::PlanRevised{.revision = revision,
                                   .reason = state.revised ? "campaign file" : "taken up",
                                   .changes = changes}};
  for (const std::string& run : state.changed_runs)
    for (campaign::Event& event : reopening(state.fold, run, "change"))
      events.push_back(std::move(event));
  Ledger ledger(*state.journal, state.fold, [] {});
  ledger.append(events);
}

std::vector<campaign::Event> reopening(const campaign::Fold& fold, const std::string& run,
                                       const std::string& reason) {
  const campaign::RunState& state = fold.run(run);
  std::vector<campaign::Event> events;
  if (is_accepted(state))
    events.push_back(campaign::event::Superseded{.run = run, .attempt = state.attempt});
  events.push_back(campaign::event::Reopened{.run = run, .reason = reason});
  return events;
}

void finish_superseding(const OpenState& state) {
  std::map<std::string, std::string> hashes;  // of all runs: only once one is to be looked at
  for (const std::string& run : runs_in_raw(state)) {
    const campaign::RunState& known = state.fold.run(run);
    if (known.phase != campaign::RunPhase::pending) continue;
    const auto record = campaign::accepted_record(state.results, run);
    if (!record) continue;
    if (hashes.empty()) hashes = planned_hashes(state.manifest.plan);
    const auto planned = hashes.find(run);
    const bool changed = planned != hashes.end() && planned->second != record->hash;
    const bool reopened = record->attempt <= known.attempt && record->attempt != known.released;
    if (changed || reopened) campaign::supersede(state.results, run, record->attempt);
  }
}

void refuse_foreign_results(const OpenState& state) {
  for (const std::string& run : runs_in_raw(state)) {
    if (is_accepted(state.fold.run(run))) continue;
    const auto record = campaign::accepted_record(state.results, run);
    if (!record || record->uid == state.manifest.uid) continue;
    throw CommandError(ExitCode::environment,
                       "the results folder " + state.results.folder.string() +
                           " holds results of another session: raw/" + run + " is of uid " +
                           record->uid + ", this session is " + state.manifest.uid +
                           "\n  move that folder away, or begin a new session with `up --new`");
  }
}

}  // namespace controller
