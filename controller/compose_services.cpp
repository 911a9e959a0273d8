#include "controller/compose_services.hpp"

#include <unistd.h>

#include "campaign/config/secret_names.hpp"
#include "campaign/plan/resolve.hpp"
#include "compose/graph.hpp"
#include "compose/loader/loader.hpp"
#include "container/digest.hpp"
#include "controller/errors.hpp"
#include "controller/runners/payload.hpp"

namespace controller {

namespace {

using campaign::Value;

void replace_all(std::string& text, const std::string& what, const std::string& by) {
  for (std::size_t at = text.find(what); at != text.npos; at = text.find(what, at + by.size()))
    text.replace(at, what.size(), by);
}

// What of a service may stand in a manifest: paths that hold after a move, and of secrets a digest
// that tells one from another and not what it is.
class Published {
 public:
  Published(const campaign::Campaign& campaign, const compose::Project& project)
      : folder_(campaign.folder + "/"), key_(campaign.id), project_(project) {
    constexpr std::size_t shortest = 8;  // anything shorter would blank out words
    for (const auto& [name, value] : project.environment)
      if (campaign::is_secret(name, value) && value.size() >= shortest) secrets_.push_back(value);
  }

  Value of(const compose::Service& service) const {
    Value said = campaign::from_json(service.identity);
    for (auto& [key, member] : said.members())
      if (key != "image" && key != "environment") clean(member);
    if (Value* environment = said.find("environment"))
      for (auto& [name, value] : environment->members()) {
        if (value.kind() == Value::Kind::string && campaign::is_secret(name, value.as_string()))
          value = Value::string(digest(value.as_string()));
        clean(value);
      }
    Value::Map contents;
    add_contents(contents, service.configs, project_.configs);
    add_contents(contents, service.secrets, project_.secrets);
    if (!contents.empty()) said.members().emplace_back("contents", Value::map(std::move(contents)));
    return said;
  }

 private:
  std::string digest(const std::string& secret) const {
    return "#" + container::sha256_hex(key_ + " " + secret).substr(0, 12);
  }

  void clean(Value& value) const {
    for (Value& item : value.items()) clean(item);
    for (auto& [name, member] : value.members()) clean(member);
    if (value.kind() != Value::Kind::string) return;
    std::string text = value.as_string();
    for (const std::string& secret : secrets_) replace_all(text, secret, digest(secret));
    if (text.starts_with(folder_)) text = "./" + text.substr(folder_.size());
    value = Value::string(std::move(text));
  }

  // What a container finds in its configs and secrets, by target.
  void add_contents(Value::Map& contents, const std::vector<compose::FileGrant>& grants,
                    const std::map<std::string, compose::FileObject>& objects) const {
    for (const compose::FileGrant& grant : grants) {
      const auto object = objects.find(grant.source);
      if (object == objects.end()) continue;
      Value from = Value::string(object->second.file);
      if (object->second.content) from = Value::string(digest(*object->second.content));
      clean(from);
      contents.emplace_back(grant.target, std::move(from));
    }
  }

  std::string folder_, key_;
  const compose::Project& project_;
  std::vector<std::string> secrets_;
};

compose::LoadRequest load_request(const campaign::Campaign& campaign) {
  return {.files = campaign.container.compose_files,
          .working_dir = campaign.folder,
          .project_name = project_name(campaign, ""),
          .environment = callers_environment()};
}

std::map<std::string, Value> read_services(const campaign::Campaign& campaign,
                                           std::vector<std::string>& warnings) {
  compose::LoadRequest request = load_request(campaign);
  request.profiles = {"*"};
  const compose::Loaded loaded = compose::load_project(request);
  warnings.insert(warnings.end(), loaded.warnings.begin(), loaded.warnings.end());
  const Published published(campaign, loaded.project);
  std::map<std::string, Value> services;
  for (const auto& [name, service] : loaded.project.services) {
    Value::List others;
    for (const auto& [other, dependency] : service.depends_on)
      others.push_back(Value::string(other));
    services.emplace(name, Value::map({{"depends_on", Value::list(std::move(others))},
                                       {"service", published.of(service)}}));
  }
  return services;
}

// "service db: image: redis:7 -> redis:8"
void tell_difference(const std::string& name, const Value* before, const Value* now,
                     std::string& text) {
  if (!before || !now) {
    text += "\n  service " + name + (now ? " is new" : " is gone");
    return;
  }
  std::map<std::string, std::pair<std::string, std::string>> keys;
  for (const auto& [key, leaf] : campaign::leaves(*before))
    keys[key].first = campaign::shown(*leaf);
  for (const auto& [key, leaf] : campaign::leaves(*now)) keys[key].second = campaign::shown(*leaf);
  for (const auto& [key, values] : keys)
    if (values.first != values.second)
      text += "\n  service " + name + ": " + key + ": " +
              (values.first.empty() ? "unset" : values.first) + " -> " +
              (values.second.empty() ? "unset" : values.second);
}

const Value* find(const std::map<std::string, Value>& services, const std::string& name) {
  const auto found = services.find(name);
  return found == services.end() ? nullptr : &found->second;
}

void refuse_changes(const std::set<std::string>& names, const campaign::Manifest& manifest,
                    const std::map<std::string, Value>& now) {
  std::string changes;
  for (const std::string& name : names) {
    const Value *was = find(manifest.services, name), *is = find(now, name);
    if (was && is && *was == *is) continue;
    tell_difference(name, was, is, changes);
  }
  if (changes.empty()) return;
  throw CommandError(
      ExitCode::usage,
      "the compose file has changed since session " + manifest.session + " began:" + changes +
          "\n  bring the old one back, or go on with the new one: " + "`campaignctl up " +
          manifest.file + " --accept-changes`");
}

enum class Way { one_off, held, server };

// By name: in which ways the runs use it.
std::map<std::string, std::set<Way>> uses_of_services(const campaign::Campaign& campaign,
                                                      const campaign::Plan& plan) {
  std::map<std::string, std::set<Way>> uses;
  for (const campaign::Experiment& experiment : plan.experiments) {
    const auto runner = campaign::runner_of(campaign, experiment);
    if (!runner || runner->type != campaign::RunnerType::compose) continue;
    uses[runner->service].insert(runner->persistent() ? Way::held : Way::one_off);
    const std::string server = runner->server ? server_service(*runner) : "";
    if (!server.empty()) uses[server].insert(Way::server);
  }
  return uses;
}

}  // namespace

compose::StringMap callers_environment() {
  compose::StringMap environment;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string pair = *entry;
    const auto equals = pair.find('=');
    if (equals != std::string::npos)
      environment.emplace(pair.substr(0, equals), pair.substr(equals + 1));
  }
  return environment;
}

std::string project_name(const campaign::Campaign& campaign, const std::string& uid) {
  if (!campaign.container.project_name.empty()) return campaign.container.project_name;
  std::string name = campaign.id;
  for (char& c : name)
    if (c == '.') c = '-';
  return uid.empty() ? name : name + "-" + uid.substr(0, 4);
}

void take_services(campaign::Campaign& campaign) {
  if (campaign.container.compose_files.empty()) return;
  campaign::add_services(campaign, read_services(campaign, campaign.warnings));
}

compose::Strings services_in_use(const campaign::Campaign& campaign, const campaign::Plan& plan) {
  compose::Strings names;
  for (const auto& [name, ways] : uses_of_services(campaign, plan)) names.push_back(name);
  return names;
}

std::set<std::string> services_alone(const campaign::Campaign& campaign,
                                     const campaign::Plan& plan) {
  const campaign::Execution& execution = campaign.execution;
  std::set<std::string> names;
  if (execution.workers > 1 || execution.overlap == campaign::Overlap::always) return names;
  for (const auto& [name, ways] : uses_of_services(campaign, plan))
    if (ways.size() == 1) names.insert(name);
  return names;
}

compose::Project planned_project(const campaign::Campaign& campaign, const campaign::Plan& plan) {
  compose::LoadRequest request = load_request(campaign);
  request.services = services_in_use(campaign, plan);
  return compose::load_project(request).project;
}

compose::Project session_project(const campaign::Campaign& campaign,
                                 const campaign::Manifest& manifest) {
  compose::LoadRequest request = load_request(campaign);
  request.services = services_in_use(campaign, manifest.plan);
  request.project_name = project_name(campaign, manifest.uid);
  compose::Project project = compose::load_project(request).project;
  std::vector<std::string> told;
  try {
    refuse_changes(compose::with_dependencies(project, request.services), manifest,
                   read_services(campaign, told));
  } catch (const compose::NotPossible& error) {
    throw CommandError(ExitCode::usage, error.what());
  }
  return project;
}

}  // namespace controller
