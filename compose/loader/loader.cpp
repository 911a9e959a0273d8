#include "compose/loader/loader.hpp"

#include "compose/loader/assemble.hpp"
#include "compose/loader/canonical.hpp"
#include "compose/loader/check.hpp"
#include "compose/loader/decode.hpp"
#include "compose/loader/normalise.hpp"
#include "compose/loader/print.hpp"
#include "compose/loader/select.hpp"

namespace compose {
namespace {

Strings profiles_of(const LoadRequest& request, const StringMap& environment) {
  Strings profiles = request.profiles;
  if (const auto more = environment.find("COMPOSE_PROFILES"); more != environment.end())
    for (std::string& profile : comma_list(more->second)) profiles.push_back(std::move(profile));
  return profiles;
}

}  // namespace

Loaded load_project(const LoadRequest& request) {
  Sources sources(request.working_dir);
  Findings findings;
  Surroundings around = look_around(request, sources, findings);
  Assembler assembler(sources, findings, around.home);
  FileSet set{.files = around.files, .folder = around.folder, .environment = around.environment};
  const std::string name =
      project_name({.request = request, .around = around, .in_file = assembler.name_in(set)});
  set.environment["COMPOSE_PROJECT_NAME"] = name;
  around.environment = set.environment;

  YamlNode tree = assembler.assemble(set);
  complete(tree, findings);
  findings.raise();
  normalise(tree, {.name = name, .folder = around.folder});
  Unselected unselected = select_services(
      tree, {.profiles = profiles_of(request, around.environment), .services = request.services},
      findings);
  fill_environments(tree,
                    {.environment = around.environment, .sources = sources, .findings = findings});
  check(tree, unselected.disabled, findings);
  drop_unused(tree);
  Loaded loaded;
  loaded.project = decode(
      tree, {.around = around, .home = around.home, .findings = findings, .sources = sources});
  findings.raise();
  loaded.project.disabled_services = std::move(unselected.disabled);
  loaded.project.unnamed_services = std::move(unselected.unnamed);
  loaded.warnings = findings.warnings();
  if (request.format == Format::none) return loaded;
  tidy(tree);
  loaded.canonical = request.format == Format::json ? json_text(tree) : yaml_text(tree);
  return loaded;
}

}  // namespace compose
