#include "compose/loader/select.hpp"

#include <algorithm>
#include <set>

#include "compose/loader/nearest.hpp"

namespace compose {
namespace {

using Names = std::set<std::string, std::less<>>;

Strings texts_of(const YamlNode* list) {
  Strings texts;
  if (list != nullptr)
    for (const YamlNode& item : list->items) texts.push_back(item.text);
  return texts;
}

bool enabled(const YamlNode& service, const Strings& profiles) {
  const Strings own = texts_of(service.find("profiles"));
  return own.empty() || std::any_of(own.begin(), own.end(), [&](const std::string& profile) {
           return std::find(profiles.begin(), profiles.end(), profile) != profiles.end();
         });
}

// The services that are named, and all that they depend on.
Names reachable(const YamlNode& services, const Strings& named) {
  Names found;
  Strings open = named;
  while (!open.empty()) {
    const std::string name = open.back();
    open.pop_back();
    if (!found.insert(name).second) continue;
    const YamlNode* service = services.find(name);
    const YamlNode* dependencies = service == nullptr ? nullptr : service->find("depends_on");
    if (dependencies == nullptr) continue;
    for (const Member& member : dependencies->members) open.push_back(member.key);
  }
  return found;
}

Strings with_named(Strings profiles, const YamlNode& services, const Selection& selection,
                   Findings& findings) {
  for (const std::string& name : selection.services) {
    const YamlNode* service = services.find(name);
    if (service == nullptr) {
      std::vector<std::string_view> known;
      for (const Member& member : services.members) known.push_back(member.key);
      findings.error({}, "", "no service `" + name + "`" + did_you_mean(name, known));
    } else if (!enabled(*service, profiles)) {
      const Strings own = texts_of(service->find("profiles"));
      profiles.insert(profiles.end(), own.begin(), own.end());
    }
  }
  return profiles;
}

void use_all(const YamlNode* map, Names& used) {
  if (map == nullptr) return;
  for (const Member& member : map->members) used.insert(member.key);
}

void use_sources(const YamlNode* list, Names& used, std::string_view type) {
  if (list == nullptr) return;
  for (const YamlNode& item : list->items)
    if (type.empty() || item.word("type") == type) used.emplace(item.word("source"));
}

void keep_only(YamlNode& project, const char* kind, const Names& used) {
  YamlNode* all = project.find(kind);
  if (all == nullptr) return;
  std::erase_if(all->members, [&](const Member& member) { return !used.contains(member.key); });
  if (all->members.empty()) project.erase(kind);
}

}  // namespace

Unselected select_services(YamlNode& project, const Selection& selection, Findings& findings) {
  Unselected out;
  YamlNode* services = project.find("services");
  if (services == nullptr) return out;
  const Strings profiles = with_named(selection.profiles, *services, selection, findings);
  const bool all = std::find(profiles.begin(), profiles.end(), "*") != profiles.end();
  std::erase_if(services->members, [&](const Member& member) {
    if (all || enabled(member.value, profiles)) return false;
    out.disabled[member.key] = texts_of(member.value.find("profiles"));
    return true;
  });
  if (!selection.services.empty()) {
    const Names kept = reachable(*services, selection.services);
    std::erase_if(services->members, [&](const Member& member) {
      if (kept.contains(member.key)) return false;
      out.unnamed.push_back(member.key);
      return true;
    });
  }
  return out;
}

void drop_unused(YamlNode& project) {
  Names networks, volumes, configs, secrets;
  if (const YamlNode* services = project.find("services")) {
    for (const Member& member : services->members) {
      use_all(member.value.find("networks"), networks);
      use_sources(member.value.find("volumes"), volumes, "volume");
      use_sources(member.value.find("configs"), configs, "");
      use_sources(member.value.find("secrets"), secrets, "");
    }
  }
  keep_only(project, "networks", networks);
  keep_only(project, "volumes", volumes);
  keep_only(project, "configs", configs);
  keep_only(project, "secrets", secrets);
}

}  // namespace compose
