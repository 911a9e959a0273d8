#include <unistd.h>

#include <cstdlib>

#include "campaign/config/placeholders.hpp"
#include "campaign/state/files.hpp"
#include "controller/cli/commands.hpp"
#include "controller/cli/records.hpp"
#include "controller/cli/run_document.hpp"
#include "controller/cli/session_end.hpp"
#include "controller/cli/timings.hpp"
#include "controller/errors.hpp"

namespace controller::cli {
namespace {

namespace fs = std::filesystem;

// Its files do not litter the working folder: $XDG_STATE_HOME/campaignctl/runs/<time>-<pid>.
fs::path run_folder() {
  const char* state_home = std::getenv("XDG_STATE_HOME");
  const char* home = std::getenv("HOME");
  fs::path base;
  if (state_home != nullptr && *state_home == '/')
    base = state_home;
  else if (home != nullptr && *home == '/')
    base = fs::path(home) / ".local" / "state";
  else
    throw CommandError(ExitCode::environment,
                       "neither XDG_STATE_HOME nor HOME says where the files of a run may go");
  std::string stamp = campaign::rfc3339(campaign::system_clock().utc(), 0);
  std::erase_if(stamp, [](char c) { return c == '-' || c == ':'; });
  return base / "campaignctl" / "runs" / (stamp + "-" + std::to_string(getpid()));
}

campaign::Campaign made_campaign(const RunArguments& run, const fs::path& folder) {
  const std::string cwd = fs::current_path().string();
  return campaign::load_campaign(
      {.path = cwd + "/command-line.yaml",
       .sets = {},
       .environment = campaign::process_environment(),
       .document = run_document(run, {.cwd = cwd, .folder = folder.string()})});
}

std::string command_of(const RunArguments& run, const campaign::Experiment& experiment) {
  campaign::Placeholders with;
  with.parameters = &experiment.config;
  std::vector<std::string> words;
  for (const std::string& word : campaign::expand_argv(run.command, with))
    words.push_back(shell_quoted(word));
  return joined(words, " ");
}

std::vector<Timing> timings_of(const RunArguments& run, const SessionResult& result) {
  const campaign::Manifest& manifest = result.manifest;
  const fs::path state_dir = manifest.state_dir;
  const SessionView view =
      read_session({.state_dir = state_dir,
                    .campaign_id = manifest.campaign_id,
                    .session = {state_dir / manifest.campaign_id / manifest.session}});
  std::vector<Timing> timings = make_timings(view.manifest.plan, read_records(view).records);
  for (std::size_t i = 0; i < timings.size(); ++i)
    timings[i].command = command_of(run, view.manifest.plan.experiments[i]);
  return timings;
}

void check_writable(const std::string& save) {
  if (save.empty()) return;
  const fs::path folder = fs::absolute(save).parent_path();
  if (access(folder.c_str(), W_OK) != 0)
    throw CommandError(ExitCode::usage, "--save " + save + ": cannot write in " + folder.string());
}

}  // namespace

int run_command(const Arguments& arguments, Console& console) {
  const RunArguments& run = arguments.run;
  check_writable(run.save);
  SessionRequest request;
  request.campaign = made_campaign(run, run_folder());
  print_warnings(*request.campaign, arguments.global, console);
  SessionResult result = run_and_finish(std::move(request), arguments.global, console);
  const std::vector<Timing> timings = timings_of(run, result);
  if (arguments.global.json)
    console.out << timings_json(timings);
  else if (arguments.global.verbosity >= 0)
    console.out << timings_text(timings, console.style);
  if (!run.save.empty()) campaign::write_atomically(fs::absolute(run.save), timings_json(timings));
  const std::vector<FailedRun> failed = failures_of(result);
  console.out.flush();
  if (!failed.empty() || result.summary.invalid > 0)
    console.err << outcome_text(result.summary, failed, {.color = console.err_color});
  if (!result.message.empty()) console.err << result.message << "\n";
  if (arguments.global.verbosity > 0)
    console.err << "results: " << result.results.folder.string() << "\n";
  return result.exit_code;
}

}  // namespace controller::cli
