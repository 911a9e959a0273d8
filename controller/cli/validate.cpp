#include <nlohmann/json.hpp>

#include "campaign/config/loader.hpp"
#include "controller/cli/commands.hpp"
#include "controller/errors.hpp"

namespace controller::cli {
namespace {

using Json = nlohmann::ordered_json;

// What is true of a campaign file.
struct Validation {
  std::string file;
  std::size_t runs = 0, experiments = 0;
  std::vector<std::string> warnings;
  std::vector<campaign::Diagnostic> errors;
};

std::string validation_json(const Validation& validation) {
  Json errors = Json::array();
  for (const campaign::Diagnostic& error : validation.errors) {
    const bool placed = error.origin.line > 0;
    errors.push_back({{"file", error.origin.file},
                      {"line", placed ? Json(error.origin.line) : Json(nullptr)},
                      {"column", placed ? Json(error.origin.column) : Json(nullptr)},
                      {"key", error.key},
                      {"message", error.message}});
  }
  const bool ok = validation.errors.empty();
  const Json object = {{"schema_version", 1},
                       {"file", validation.file},
                       {"ok", ok},
                       {"runs", ok ? Json(validation.runs) : Json(nullptr)},
                       {"experiments", ok ? Json(validation.experiments) : Json(nullptr)},
                       {"warnings", validation.warnings},
                       {"errors", errors}};
  return object.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

Validation validate(const Arguments& arguments, Console& console) {
  Validation validation{.file = arguments.validate.file, .warnings = {}, .errors = {}};
  campaign::Campaign campaign = load(arguments, arguments.validate);
  const campaign::Plan plan = campaign::make_plan(campaign);
  campaign.warnings.insert(campaign.warnings.end(), plan.warnings.begin(), plan.warnings.end());
  if (!arguments.global.json) print_warnings(campaign, arguments.global, console);
  validation.runs = plan.runs.size();
  validation.experiments = plan.experiments.size();
  validation.warnings = campaign.warnings;
  return validation;
}

}  // namespace

int validate_command(const Arguments& arguments, Console& console) {
  if (!arguments.global.json) {
    const Validation validation = validate(arguments, console);
    if (arguments.global.verbosity >= 0)
      console.out << validation.file << ": ok, " << plural(validation.runs, "run") << " of "
                  << plural(validation.experiments, "experiment") << "\n";
    return 0;
  }
  Validation validation{.file = arguments.validate.file, .warnings = {}, .errors = {}};
  try {
    validation = validate(arguments, console);
  } catch (const campaign::ConfigError& error) {
    validation.errors = error.diagnostics();
  }
  console.out << validation_json(validation);
  return static_cast<int>(validation.errors.empty() ? ExitCode::ok : ExitCode::usage);
}

int schema_command(const Arguments&, Console& console) {
  console.out << campaign::campaign_schema() << "\n";
  return 0;
}

}  // namespace controller::cli
