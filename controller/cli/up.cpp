#include <unistd.h>

#include <csignal>
#include <iostream>

#include "controller/cli/commands.hpp"
#include "controller/cli/plan_report.hpp"
#include "controller/cli/session_end.hpp"
#include "controller/errors.hpp"

namespace controller::cli {
namespace {

// A reader of our output that goes away must not end a campaign. A handler, not SIG_IGN: payloads
// do not inherit it.
void survive_closed_pipes() {
  struct sigaction action{};
  action.sa_handler = [](int) {};
  action.sa_flags = SA_RESTART;
  sigaction(SIGPIPE, &action, nullptr);
}

std::optional<Located> unfinished_session(const campaign::Campaign& campaign) {
  const auto found = locate_all(
      {.campaign = campaign.io.state_dir + "/" + campaign.id, .state_dir = "", .cwd = "/"});
  if (found.empty()) return std::nullopt;
  const SessionView view = read_session(found.front());
  if (view.fold.finished || view.fold.abandoned) return std::nullopt;
  return found.front();
}

// Only where somebody sits in front of it: a job's `up --new` must not wait for an answer.
void ask_before_abandoning(const UpArguments& up, const campaign::Campaign& campaign,
                           Console& console) {
  if (!up.options.fresh || up.yes || !console.err_is_terminal || isatty(STDIN_FILENO) == 0) return;
  std::error_code ignored;
  if (!std::filesystem::is_directory(campaign.io.state_dir + "/" + campaign.id, ignored)) return;
  const std::optional<Located> session = unfinished_session(campaign);
  if (!session) return;
  console.err << "Session " << session->session.folder.filename().string() << " of "
              << campaign.name << " is not finished. Abandon it and start anew? [y/N] "
              << std::flush;
  std::string answer;
  std::getline(std::cin, answer);
  if (answer != "y" && answer != "Y" && answer != "yes")
    throw CommandError(ExitCode::usage, "nothing was done; `campaignctl up` goes on with it");
}

}  // namespace

SessionResult run_and_finish(SessionRequest request, const Globals& global, Console& console) {
  survive_closed_pipes();
  const std::unique_ptr<Progress> progress = make_progress(global, console);
  request.progress = progress.get();
  try {
    SessionResult result = run_session(request);
    progress->finish();
    return result;
  } catch (...) {
    progress->finish();
    throw;
  }
}

std::vector<FailedRun> failures_of(SessionResult& result) {
  SessionView view{.manifest = std::move(result.manifest),
                   .fold = std::move(result.fold),
                   .results = result.results};
  count_runs(result.summary, view);
  std::vector<FailedRun> failed = failed_runs(view);
  result.manifest = std::move(view.manifest);
  result.fold = std::move(view.fold);
  return failed;
}

int print_session(SessionResult result, const Globals& global, Console& console) {
  const std::vector<FailedRun> failed = failures_of(result);
  const SessionReport report{.result = &result, .failed = failed};
  if (global.json) {
    console.out << session_json(report);
  } else if (global.verbosity >= 0) {
    console.out << brief_table(result.summary, console.style);
    console.out << outcome_text(result.summary, report.failed, console.style);
  }
  console.out.flush();
  if (!result.message.empty()) console.err << result.message << "\n";
  if (global.verbosity >= 0 && !result.results.folder.empty())
    console.err << "results: " << result.results.folder.string() << "\n";
  return result.exit_code;
}

int up_command(const Arguments& arguments, Console& console) {
  const UpArguments& up = arguments.up;
  campaign::Campaign campaign = load(arguments, up.source);
  if (up.dry_run) {
    const PlanReport report{.preview = preview(campaign, up.options), .explain = false};
    print_warnings(report.preview.campaign, arguments.global, console);
    console.out << (arguments.global.json ? plan_json(report) : plan_text(report, console.style));
    return 0;
  }
  print_warnings(campaign, arguments.global, console);
  ask_before_abandoning(up, campaign, console);
  SessionRequest request;
  request.campaign = std::move(campaign);
  request.options = up.options;
  return print_session(run_and_finish(std::move(request), arguments.global, console),
                       arguments.global, console);
}

int resume_command(const Arguments& arguments, Console& console) {
  SessionRequest request;
  request.located = locate(locate_request(arguments, arguments.resume_campaign));
  request.options = arguments.resume_options;
  return print_session(run_and_finish(std::move(request), arguments.global, console),
                       arguments.global, console);
}

}  // namespace controller::cli
