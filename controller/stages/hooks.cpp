#include "controller/stages/hooks.hpp"

#include "campaign/config/placeholders.hpp"
#include "controller/process.hpp"

namespace controller {

namespace {

Command hook_command(const RunContext& context, const campaign::Argv& argv,
                     const Attempt* attempt) {
  Command command;
  command.cwd = context.campaign->folder;
  command.env = {{"CAMPAIGN_ID", context.campaign->id},
                 {"CAMPAIGN_SESSION", context.manifest->session}};
  campaign::Placeholders with;
  with.vars = &context.campaign->vars;
  with.names = {{"campaign", context.campaign->id}};
  command.log = (context.results.folder / "hooks.log").string();
  if (attempt) {
    with.parameters = &attempt->experiment->config;
    with.names.insert({{"run_id", attempt->run},
                       {"experiment", attempt->experiment->name},
                       {"cycle", std::to_string(attempt->planned.cycle)},
                       {"attempt", std::to_string(attempt->number)},
                       {"results", attempt->paths.results.string()},
                       {"config", (attempt->paths.ctl / "config.yaml").string()}});
    command.env.insert({{"CAMPAIGN_RUN_ID", attempt->run},
                        {"CAMPAIGN_EXPERIMENT", attempt->experiment->name},
                        {"CAMPAIGN_CYCLE", std::to_string(attempt->planned.cycle)},
                        {"CAMPAIGN_ATTEMPT", std::to_string(attempt->number)}});
    command.log = (attempt->paths.ctl / "hooks.log").string();
  }
  command.argv = campaign::expand_argv(argv, with);
  return command;
}

}  // namespace

Task<> run_hook(RunContext& context, const std::string& name, const campaign::Argv& argv,
                const Attempt* attempt) {
  constexpr double limit = 600;
  if (argv.empty()) co_return;
  const Command command = hook_command(context, argv, attempt);
  const RunLimits limits{.timeout = limit, .wake = context.wake, .cancelled = [&context] {
                           return context.stop->level() == StopLevel::kill;
                         }};
  const ProcessResult result = co_await run_process(command, limits);
  if (result.exit_code == 0) co_return;
  std::string what = "hooks." + name + " (" + command.argv.front() + ") ";
  if (!result.error.empty())
    what += "could not be started: " + result.error;
  else if (result.timed_out)
    what += "took longer than 10 minutes and was killed";
  else
    what += "ended with exit code " + std::to_string(result.exit_code);
  throw std::runtime_error(what + "; its output: " + command.log);
}

}  // namespace controller
