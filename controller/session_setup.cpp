#include "controller/session_run.hpp"

#include <signal.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "campaign/config/placeholders.hpp"
#include "campaign/state/files.hpp"
#include "container/docker_engine.hpp"
#include "controller/compose_services.hpp"
#include "controller/errors.hpp"
#include "controller/recovery.hpp"

namespace controller {

namespace fs = std::filesystem;

namespace {

std::string host_name() {
  utsname names{};
  uname(&names);
  return names.nodename;
}

campaign::PullPolicy pull_policy(const compose::Service& service) {
  using When = compose::PullPolicy::When;
  if (service.pull_policy.when == When::always) return campaign::PullPolicy::always;
  if (service.pull_policy.when == When::never) return campaign::PullPolicy::never;
  return campaign::PullPolicy::missing;
}

}  // namespace

// Two state folders may share one folder of results, so a new session's own one is claimed.
void SessionRun::prepare_folders() {
  const fs::path& results = state_.results.folder;
  campaign::make_private_folders(state_.manifest.state_dir);
  campaign::make_private_folders(results.parent_path());
  if (state_.created && ::mkdir(results.c_str(), 0700) == 0)
    return campaign::sync_folder(results.parent_path());
  if (state_.created && errno == EEXIST)
    throw CommandError(ExitCode::environment,
                       results.string() + " was made by another session just now: start again");
  campaign::make_private_folders(results);
}

bool SessionRun::uses_containers() const {
  for (const auto& experiment : state_.manifest.plan.experiments)
    if (campaign::runner_for(state_.campaign, experiment.backend)->type !=
        campaign::RunnerType::local)
      return true;
  return false;
}

std::map<std::string, campaign::PullPolicy> SessionRun::images() const {
  std::map<std::string, campaign::PullPolicy> names;
  for (const auto& experiment : state_.manifest.plan.experiments) {
    const campaign::Runner& runner = *campaign::runner_for(state_.campaign, experiment.backend);
    if (runner.type == campaign::RunnerType::local) continue;
    const campaign::Placeholders with{.parameters = &experiment.config,
                                      .vars = &state_.campaign.vars};
    if (!runner.image.empty()) names[campaign::expand(runner.image, with)] = runner.pull;
    if (runner.server && !runner.server->image.empty())
      names[campaign::expand(runner.server->image, with)] = runner.pull;
  }
  if (project_)
    for (const auto& [name, service] : project_->services)
      names.emplace(service.image, pull_policy(service));
  return names;
}

std::map<std::string, std::string> SessionRun::builds() const {
  std::map<std::string, std::string> commands;
  if (project_)
    for (const auto& [name, service] : project_->services)
      if (!service.build_command.empty()) commands.emplace(service.image, service.build_command);
  return commands;
}

void SessionRun::connect() {
  if (!uses_containers()) return;
  if (!services_in_use(state_.campaign, state_.manifest.plan).empty())
    project_ = session_project(state_.campaign, state_.manifest);
  std::vector<std::string> tried;
  const auto endpoint =
      container::find_endpoint({.environment = campaign::process_environment(),
                                .explicit_host = state_.campaign.container.engine},
                               &tried);
  if (!endpoint) {
    std::string text = "no container engine was found; looked at:";
    for (const std::string& place : tried) text += "\n  " + place;
    throw CommandError(ExitCode::environment,
                       text + "\n  start one, or say DOCKER_HOST; `campaignctl doctor` helps");
  }
  engine_ = container::make_docker_engine(loop_.io, {.endpoint = *endpoint});
  site_ = during_setup(
      prepare_site({.engine = engine_.get(),
                    .state_folder = state_.located.session.lock().parent_path(),
                    .uid = state_.manifest.uid,
                    .images = images(),
                    .builds = builds(),
                    .note = [this](const std::string& line) { request_.progress->note(line); }}));
  take_image_identities();
  // What an abandoned session left goes first: it may have the project's names, and GPUs.
  if (state_.abandoned) during_setup(sweep(*engine_, read_session(*state_.abandoned).manifest.uid));
  if (!project_) return;
  const auto given_up = [this] { return loop_.stop.now(); };
  if (!run_until_done(loop_.io, refuse_foreign(*engine_, *project_, state_.manifest.uid), given_up))
    stopped_early();
}

void SessionRun::take_image_identities() {
  for (const auto& [name, image] : site_->images) {
    const std::string identity = image.info.identity();
    const auto known = state_.manifest.images.find(name);
    if (known != state_.manifest.images.end() && known->second.identity != identity &&
        !state_.revised)
      throw CommandError(
          ExitCode::environment,
          "image " + name + " is not the one that this session began with (content " +
              known->second.identity.substr(0, 12) + ", now " + identity.substr(0, 12) +
              ")\n  bring the old one back, or start a new session with `up --new`");
    state_.manifest.images[name] = {.image = name, .id = image.info.id, .identity = identity};
  }
}

void SessionRun::begin_journal() {
  const std::string engine_id = site_ ? site_->info.id : "";
  if (state_.created) {
    abandon_earlier();
    store_new_session(state_, engine_id, clock_);
  } else {
    restore_links(state_);
    state_.journal = campaign::Journal::create(state_.located.session.journal(), clock_);
    if (state_.revised || state_.unrecorded > 0) store_revision(state_);
  }
  ledger_ = std::make_unique<Ledger>(*state_.journal, state_.fold, [this] { loop_.wake.notify(); });
  ledger_->append(campaign::event::ControllerStarted{.host = host_name(),
                                                     .pid = getpid(),
                                                     .engine_id = engine_id,
                                                     .version = CAMPAIGNCTL_VERSION});
  remember(state_.located, state_.manifest.uid);
}

void SessionRun::abandon_earlier() {
  if (!state_.abandoned) return;
  SessionView view = read_session(*state_.abandoned);
  if (finished(view.fold)) return;
  if (engine_) during_setup(sweep(*engine_, view.manifest.uid));
  auto journal = campaign::Journal::create(view.located.session.journal(), clock_);
  journal->append({campaign::event::Abandoned{.reason = "up --new"}});
}

void SessionRun::fill_context() {
  context_ = {.campaign = &state_.campaign,
              .manifest = &state_.manifest,
              .clock = &clock_,
              .results = state_.results,
              .ledger = ledger_.get(),
              .wake = &loop_.wake,
              .stop = &loop_.stop,
              .progress = request_.progress,
              .environment = campaign::process_environment(),
              .site = site_ ? &*site_ : nullptr,
              .broker = broker_.get(),
              .runner_of = [this](const Attempt& attempt) -> Runner& { return runner_of(attempt); },
              .engine_is_back = [this] { return engine_is_back(); },
              .ask_engine_anew = [this] { return ask_engine_anew(); },
              .engine_id = site_ ? site_->info.id : "",
              .host = host_name()};
  context_.workers.resize(static_cast<std::size_t>(state_.campaign.execution.workers));
  take_up_times();
  make_runners();
  make_watch();
}

void SessionRun::make_runners() {
  const PayloadContext payload{.campaign = &state_.campaign,
                               .manifest = &state_.manifest,
                               .environment = context_.environment,
                               .project = project_ ? &*project_ : nullptr};
  make_host();
  if (project_) make_compose_side();
  if (site_) make_container_runners(payload);
  local_ = std::make_unique<LocalRunner>(LocalRunnerParts{
      .payload = payload, .launcher = own_launcher().string(), .wake = &loop_.wake});
}

void SessionRun::make_compose_side() {
  compose_ = std::make_unique<ComposeSide>(
      ComposeSideParts{.engine = engine_.get(),
                       .site = &*site_,
                       .project = &*project_,
                       .in_use = services_in_use(state_.campaign, state_.manifest.plan),
                       .alone = services_alone(state_.campaign, state_.manifest.plan),
                       .workers = state_.campaign.execution.workers,
                       .belonging = belonging(),
                       .host = host_.get(),
                       .wake = &loop_.wake,
                       .health = state_.campaign.health_check,
                       .logs = state_.results.folder / "services",
                       .cancelled = [this] { return loop_.stop.now(); },
                       .hurry = [this] { return loop_.stop.level() == StopLevel::kill; },
                       .note = [this](const std::string& line) { request_.progress->note(line); }});
}

void SessionRun::make_container_runners(const PayloadContext& payload) {
  const auto cancelled = [this] { return loop_.stop.now(); };
  servers_ = std::make_unique<ServerSide>(ServerSideParts{.engine = engine_.get(),
                                                          .site = &*site_,
                                                          .payload = payload,
                                                          .belonging = belonging(),
                                                          .wake = &loop_.wake,
                                                          .compose = compose_.get(),
                                                          .cancelled = cancelled});
  docker_ = std::make_unique<DockerRunner>(DockerRunnerParts{.engine = engine_.get(),
                                                             .site = &*site_,
                                                             .payload = payload,
                                                             .belonging = belonging(),
                                                             .wake = &loop_.wake,
                                                             .servers = servers_.get(),
                                                             .compose = compose_.get()});
  persistent_ = std::make_unique<PersistentRunner>(PersistentRunnerParts{
      .engine = engine_.get(),
      .site = &*site_,
      .payload = payload,
      .belonging = belonging(),
      .wake = &loop_.wake,
      .results = state_.results,
      .host = host_.get(),
      .servers = servers_.get(),
      .compose = compose_.get(),
      .cancelled = cancelled,
      .note = [this](const std::string& line) { request_.progress->note(line); }});
}

void SessionRun::take_up_times() {
  const campaign::Fold& fold = state_.fold;
  if (fold.last_finished_utc <= 0) return;
  const double since = std::max(0.0, clock_.utc() - fold.last_finished_utc);
  const bool same_boot =
      fold.last_finished_boot == clock_.boot_id() && fold.last_finished_boottime > 0;
  const double ended = same_boot ? fold.last_finished_boottime : clock_.boottime() - since;
  for (WorkerStatus& worker : context_.workers) worker.finished_boottime = ended;
  context_.finished_before = ended;
  context_.resumed_gap = fold.gap;
  context_.resumed_gap_run = fold.gap_run;
}

Belonging SessionRun::belonging() const {
  return {.uid = state_.manifest.uid,
          .campaign_id = state_.manifest.campaign_id,
          .session = state_.manifest.session,
          .controller = state_.journal->writer(),
          .host = host_name(),
          .lock = fs::absolute(state_.located.session.lock()).string()};
}

Runner& SessionRun::runner_of(const Attempt& attempt) {
  if (attempt.runner->type == campaign::RunnerType::local) return *local_;
  if (attempt.runner->persistent()) return *persistent_;
  return *docker_;
}

Task<> SessionRun::ask_engine_anew() {
  engine_->renew_connections();
  try {
    co_await engine_->info();
  } catch (const container::EngineError& error) {
    if (error.unreachable()) throw EngineAway(error.what());
    throw;
  }
}

Task<bool> SessionRun::engine_is_back() {
  constexpr double patience = 600;
  const double begin = clock_.boottime();
  for (double pause = 0.1; clock_.boottime() - begin < patience;
       pause = std::min(pause * 1.5, 2.0)) {
    if (loop_.stop.level() == StopLevel::kill) co_return false;
    std::string reason;
    try {
      co_await engine_->info();
      context_.engine_wait = {};
      co_return true;
    } catch (const container::EngineError& error) {
      reason = error.what();
    }
    context_.engine_wait.reason = "the engine does not answer: " + reason;
    co_await loop_.wake.wait(pause);
  }
  co_return false;
}

}  // namespace controller
