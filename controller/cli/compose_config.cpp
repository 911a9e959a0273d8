#include "controller/cli/compose.hpp"
#include "controller/errors.hpp"

namespace controller::cli {
namespace {

compose::Format format_of(const Arguments& arguments) {
  const std::string& word = arguments.compose.format;
  if (word == "json" || (word.empty() && arguments.global.json)) return compose::Format::json;
  if (word.empty() || word == "yaml") return compose::Format::yaml;
  throw CommandError(ExitCode::usage, "--format " + word + ": yaml or json");
}

}  // namespace

int compose_config_command(const Arguments& arguments, Console& console) {
  compose::LoadRequest request = compose_request(arguments);
  request.format = format_of(arguments);
  const compose::Loaded loaded = load_compose(request, arguments, console);
  if (arguments.global.verbosity < 0) return 0;
  if (!arguments.compose.only_services) {
    console.out << loaded.canonical;
    return 0;
  }
  for (const auto& [name, service] : loaded.project.services) console.out << name << "\n";
  return 0;
}

}  // namespace controller::cli
