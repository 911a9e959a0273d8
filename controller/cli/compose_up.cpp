#include "controller/cli/compose.hpp"
#include "controller/cli/compose_report.hpp"
#include "controller/errors.hpp"

namespace controller::cli {
namespace {

compose::UpRequest request_of(const Arguments& arguments, const compose::Project& project,
                              Console& console) {
  const ComposeArguments& from = arguments.compose;
  compose::UpRequest request{.project = &project};
  request.choices.services = from.services;
  request.choices.remove_orphans = from.remove_orphans;
  request.choices.wait_ready = from.wait;
  request.choices.condition_deadline = seconds_option(from.timeout, "--timeout", 600);
  if (from.force_recreate) request.choices.recreate = compose::Recreate::always;
  if (from.no_recreate) request.choices.recreate = compose::Recreate::never;
  if (arguments.global.verbosity < 0) return request;
  request.note = [&console](const std::string& note) { console.err << note << "\n" << std::flush; };
  request.executor.done = [&console](const compose::Step& step) {
    console.err << compose::text(step) << "\n" << std::flush;
  };
  return request;
}

void print_warnings(const compose::Strings& warnings, const Arguments& arguments,
                    Console& console) {
  if (arguments.global.verbosity < 0) return;
  for (const std::string& warning : warnings)
    console.err << painted("warning:", Paint::yellow, console.err_color) << " " << warning << "\n";
}

int show_plan(const compose::UpRequest& request, const Arguments& arguments, Console& console) {
  with_engine([&](container::Engine& engine) -> Task<> {
    compose::DesiredOptions options;
    for (const auto& [name, service] : request.project->services) {
      const auto image = co_await engine.image(service.image);
      if (image) options.image_ids[service.image] = image->id;
    }
    const compose::Desired wanted = compose::desired(*request.project, options);
    const compose::Observed seen = co_await compose::observe_for(engine, wanted);
    const compose::Plan plan = compose::plan_up(*request.project, wanted, seen, request.choices);
    if (arguments.global.json)
      console.out << plan_json(plan);
    else
      console.out << (plan.empty() ? "nothing to do\n" : compose::text(plan));
  });
  return 0;
}

int bring_up(compose::UpRequest request, const Arguments& arguments, Console& console) {
  request.executor.give_up = watch_signals();
  compose::UpResult result;
  with_engine([&](container::Engine& engine) -> Task<> {
    result = co_await compose::project_up(engine, request);
  });
  print_warnings(result.plan.warnings, arguments, console);
  print_warnings(result.execution.warnings, arguments, console);
  if (arguments.global.json)
    console.out << up_json(result);
  else if (arguments.global.verbosity >= 0)
    console.out << containers_text(result.now);
  console.err << failure_text(result.execution);
  if (result.execution.given_up) return static_cast<int>(ExitCode::interrupted);
  return static_cast<int>(result.execution.ok ? ExitCode::ok : ExitCode::some_failed);
}

}  // namespace

int compose_up_command(const Arguments& arguments, Console& console) {
  if (arguments.compose.force_recreate && arguments.compose.no_recreate)
    throw CommandError(ExitCode::usage, "--force-recreate and --no-recreate exclude each other");
  const compose::Loaded loaded = load_compose(compose_request(arguments), arguments, console);
  const compose::UpRequest request = request_of(arguments, loaded.project, console);
  try {
    return arguments.compose.dry_run ? show_plan(request, arguments, console)
                                     : bring_up(request, arguments, console);
  } catch (const compose::ForeignObject& error) {
    throw CommandError(ExitCode::environment, error.what());
  } catch (const compose::NotPossible& error) {
    throw CommandError(ExitCode::usage, error.what());
  }
}

}  // namespace controller::cli
