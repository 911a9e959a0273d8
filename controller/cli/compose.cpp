#include "controller/cli/compose.hpp"

#include <unistd.h>

#include <filesystem>

#include "controller/compose_services.hpp"
#include "controller/errors.hpp"
#include "controller/progress/format.hpp"

namespace controller::cli {
namespace {

std::string working_folder() {
  std::error_code error;
  const std::filesystem::path folder = std::filesystem::current_path(error);
  if (error)
    throw CommandError(ExitCode::environment,
                       "the working folder is gone or unreadable: " + error.message());
  return folder.string();
}

}  // namespace

const std::vector<ComposeOption>& compose_options() {
  static const std::vector<ComposeOption> options = {
      {"--file,-f", "FILE", "a compose file, may be repeated; later ones override",
       &ComposeArguments::files},
      {"--project-name,-p", "NAME", "instead of `name:` or the folder's name",
       &ComposeArguments::project_name},
      {"--project-directory", "DIR",
       "where relative paths begin, instead of the first file's folder",
       &ComposeArguments::project_dir},
      {"--profile", "NAME", "enable the services of a profile, may be repeated; \"*\" is all",
       &ComposeArguments::profiles},
      {"--env-file", "FILE", "instead of .env, may be repeated", &ComposeArguments::env_files},
  };
  return options;
}

const std::vector<ComposeCommand>& compose_commands() {
  static const std::vector<ComposeCommand> table = {
      {{"compose config", "check compose files and print what they come to",
        "  campaignctl compose config\n"
        "  campaignctl compose -f compose.yaml -f cluster.yaml config --format json\n"
        "  campaignctl compose config --profile dev --services\n",
        compose_config_command},
       {{"--format", "FORMAT", "yaml (default) or json", &ComposeArguments::format},
        {"--services", "", "only the services' names", &ComposeArguments::only_services},
        {"SERVICE", "", "only these and what they depend on", &ComposeArguments::services}}},
      {{"compose up", "make and start a project, dependencies first",
        "  campaignctl compose up\n"
        "  campaignctl compose up --dry-run\n"
        "  campaignctl compose -f compose.yaml -p trial up --wait --timeout 120 db\n",
        compose_up_command},
       {{"--detach,-d", "", "implied: the services go on in the background",
         &ComposeArguments::detach},
        {"--wait", "", "until every service is healthy, or runs", &ComposeArguments::wait},
        {"--timeout", "SECONDS", "for each condition, default 600", &ComposeArguments::timeout},
        {"--dry-run", "", "print the steps and their causes, do nothing",
         &ComposeArguments::dry_run},
        {"--force-recreate", "", "make every container anew", &ComposeArguments::force_recreate},
        {"--no-recreate", "", "keep containers whose configuration has changed",
         &ComposeArguments::no_recreate},
        {"--remove-orphans", "", "remove containers of services that the file does not have",
         &ComposeArguments::remove_orphans},
        {"SERVICE", "", "only these and what they depend on", &ComposeArguments::services}}},
      {{"compose ps", "a project's containers",
        "  campaignctl compose ps\n"
        "  campaignctl compose -p trial ps --json\n",
        compose_ps_command},
       {}},
      {{"compose exec", "run a command in a service's container; its exit code is the command's",
        "  campaignctl compose exec db sh\n"
        "  campaignctl compose exec -i db psql < script.sql\n"
        "  campaignctl compose -p trial exec -u 0 -e LEVEL=9 web sh -c 'echo $LEVEL'\n",
        compose_exec_command},
       {{"--user,-u", "USER", "instead of the container's", &ComposeArguments::user},
        {"--workdir,-w", "DIR", "instead of the container's", &ComposeArguments::workdir},
        {"--env,-e", "K=V", "may be repeated", &ComposeArguments::environment},
        {"--no-tty,-T", "", "no terminal for the command, though there is one here",
         &ComposeArguments::no_terminal},
        {"--interactive,-i", "", "give it standard input that is no terminal too",
         &ComposeArguments::interactive},
        {"SERVICE", "", "the lowest of its running containers", &ComposeArguments::service},
        {"COMMAND", "", "and its arguments", &ComposeArguments::command}},
       ComposeCommand::Rest::words},
      {{"compose down", "stop and remove a project, dependents first",
        "  campaignctl compose down\n"
        "  campaignctl compose -p trial down -v --remove-orphans\n",
        compose_down_command},
       {{"--volumes,-v", "", "and its named volumes", &ComposeArguments::volumes},
        {"--remove-orphans", "", "and containers of services that the file does not have",
         &ComposeArguments::remove_orphans},
        {"--timeout,-t", "SECONDS", "from the stop signal to KILL, instead of each container's own",
         &ComposeArguments::timeout}}},
  };
  return table;
}

compose::LoadRequest compose_request(const Arguments& arguments) {
  const ComposeArguments& from = arguments.compose;
  return {.files = from.files,
          .working_dir = working_folder(),
          .project_dir = from.project_dir,
          .project_name = from.project_name,
          .profiles = from.profiles,
          .environment_files = from.env_files,
          .environment = callers_environment(),
          .services = from.services};
}

compose::Loaded load_compose(const compose::LoadRequest& request, const Arguments& arguments,
                             Console& console) {
  compose::Loaded loaded = compose::load_project(request);
  if (arguments.global.verbosity >= 0)
    for (const std::string& warning : loaded.warnings)
      console.err << painted("warning:", Paint::yellow, console.err_color) << " " << warning
                  << "\n";
  return loaded;
}

}  // namespace controller::cli
