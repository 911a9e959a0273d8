#include "controller/cli/compose.hpp"
#include "controller/cli/compose_report.hpp"
#include "controller/errors.hpp"

namespace controller::cli {
namespace {

std::string down_text(const compose::DownResult& result) {
  std::string out;
  for (const auto& step : result.execution.done) out += step.substr(0, step.find(": ")) + "\n";
  for (const auto& left : result.plan.left) out += "left " + left + "\n";
  for (const auto& warning : result.execution.warnings) out += "left " + warning + "\n";
  return out.empty() ? "nothing to remove\n" : out;
}

std::string owners_text(const compose::Plan& plan) {
  std::string out;
  for (const auto& campaign : plan.owners)
    if (!campaign.empty())
      out += "project " + plan.project + " is of campaign " + campaign + ": `campaignctl down " +
             campaign + "` removes what is left of it\n";
  return out;
}

ExitCode exit_code(const compose::DownResult& result) {
  if (!result.execution.ok) return ExitCode::some_failed;
  const bool nothing_ours = result.plan.steps.empty() && !result.plan.owners.empty();
  return nothing_ours ? ExitCode::environment : ExitCode::ok;
}

}  // namespace

int compose_down_command(const Arguments& arguments, Console& console) {
  const ComposeArguments& from = arguments.compose;
  const ComposeTarget target = compose_target(arguments, console);
  compose::DownRequest request{.project = target.project};
  request.choices.remove_orphans = from.remove_orphans || !target.file;
  request.choices.remove_volumes = from.volumes;
  if (!from.timeout.empty()) request.choices.grace = seconds_option(from.timeout, "--timeout", 0);
  if (target.file) request.choices.services = service_names(*target.file);
  compose::DownResult result;
  with_engine([&](container::Engine& engine) -> Task<> {
    result = co_await compose::project_down(engine, request);
  });
  if (arguments.global.json)
    console.out << down_json(result);
  else if (arguments.global.verbosity >= 0)
    console.out << down_text(result);
  console.err << failure_text(result.execution) << owners_text(result.plan);
  return static_cast<int>(exit_code(result));
}

}  // namespace controller::cli
