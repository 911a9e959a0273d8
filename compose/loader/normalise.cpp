#include "compose/loader/normalise.hpp"

#include "compose/loader/dotenv.hpp"

namespace compose {
namespace {

constexpr std::string_view of_service = "service:";

YamlNode& depend(YamlNode& service, std::string_view on, const Place& place) {
  YamlNode& all = service.at("depends_on");
  if (!all.is_map()) all = YamlNode::of_map(place);
  YamlNode& entry = all.at(on);
  if (entry.is_map()) return entry;
  entry = YamlNode::of_map(place);
  entry.set("condition", YamlNode::of_text("service_started", place));
  entry.set("required", YamlNode::of_boolean(true, place));
  return entry;
}

void depend_and_restart(YamlNode& service, std::string_view on, const Place& place) {
  const YamlNode* all = service.find("depends_on");
  if (all != nullptr && all->find(on) != nullptr) return;
  depend(service, on, place).set("restart", YamlNode::of_boolean(true, place));
}

void implied_dependencies(YamlNode& service) {
  if (const YamlNode* links = service.find("links")) {
    const YamlNode copy = *links;
    for (const YamlNode& link : copy.items)
      depend_and_restart(service, link.text.substr(0, link.text.find(':')), link.place);
  }
  for (const char* key : {"network_mode", "ipc", "pid", "uts", "cgroup"}) {
    const YamlNode* mode = service.find(key);
    if (mode == nullptr || !mode->text.starts_with(of_service)) continue;
    const YamlNode copy = *mode;
    depend_and_restart(service, std::string_view(copy.text).substr(of_service.size()), copy.place);
  }
  if (const YamlNode* from = service.find("volumes_from")) {
    const YamlNode copy = *from;
    for (const YamlNode& other : copy.items)
      if (!other.text.starts_with("container:"))
        depend(service, other.text.substr(0, other.text.find(':')), other.place);
  }
}

void default_network(YamlNode& service) {
  const YamlNode* networks = service.find("networks");
  const bool some = networks != nullptr && !networks->members.empty();
  if (service.find("network_mode") != nullptr || some) return;
  YamlNode map = YamlNode::of_map(service.place);
  map.at("default") = YamlNode{.place = service.place};
  service.set("networks", std::move(map));
}

void replicas(YamlNode& service) {
  const YamlNode* scale = service.find("scale");
  YamlNode* deploy = service.find("deploy");
  if (scale == nullptr || deploy == nullptr || !deploy->is_map()) return;
  if (deploy->find("replicas") == nullptr) deploy->set("replicas", *scale);
}

// The values of files, then those of the key itself over them.
void lay_over(YamlNode& service, const char* key, const StringMap& from_files) {
  if (from_files.empty()) return;
  YamlNode map = YamlNode::of_map(service.place);
  for (const auto& [name, value] : from_files)
    map.members.push_back({name, service.place, YamlNode::of_text(value, service.place)});
  if (const YamlNode* own = service.find(key))
    for (const Member& member : own->members) map.set(member.key, member.value);
  service.set(key, std::move(map));
}

StringMap read_files(const YamlNode& list, const std::string& key, const FillRequest& request) {
  StringMap values;
  for (const YamlNode& entry : list.items) {
    const bool plain = entry.is_text();
    const std::string path(plain ? std::string_view{entry.text} : entry.word("path"));
    const YamlNode* required = entry.find("required");
    if (path.empty()) continue;
    if (!exists(path)) {
      if (plain || required == nullptr || required->truth)
        request.findings.error(entry.place, key,
                               "there is no file " + std::string(request.sources.name(path)));
      continue;
    }
    const std::string_view format = entry.word("format");
    if (!format.empty() && format != "raw")
      request.findings.error(entry.place, key,
                             "expected raw as the format, not \"" + std::string(format) + "\"");
    const Source source = request.sources.read(path);
    const Lookup lookup = lookup_in(request.environment);
    const DotenvRequest dotenv{
        .source = source, .lookup = lookup, .earlier = values, .raw = format == "raw"};
    for (auto& [name, value] : read_dotenv(dotenv, request.findings))
      values[name] = std::move(value);
  }
  return values;
}

void from_caller(YamlNode& values, const StringMap& environment) {
  for (Member& member : values.members)
    if (const auto outer = environment.find(member.key);
        member.value.is_null() && outer != environment.end())
      member.value = YamlNode::of_text(outer->second, member.place);
}

void environment(YamlNode& service, const std::string& path, const FillRequest& request) {
  if (YamlNode* own = service.find("environment")) from_caller(*own, request.environment);
  YamlNode* build = service.find("build");
  if (YamlNode* arguments = build == nullptr ? nullptr : build->find("args")) {
    from_caller(*arguments, request.environment);
    std::erase_if(arguments->members, [](const Member& member) { return member.value.is_null(); });
    if (arguments->members.empty()) build->erase("args");
  }
  if (const YamlNode* files = service.find("env_file")) {
    lay_over(service, "environment", read_files(YamlNode(*files), path + ".env_file", request));
    service.erase("env_file");
  }
  if (const YamlNode* files = service.find("label_file")) {
    lay_over(service, "labels", read_files(YamlNode(*files), path + ".label_file", request));
    service.erase("label_file");
  }
}

void build(YamlNode& service, const std::string& folder) {
  YamlNode* section = service.find("build");
  if (section == nullptr || !section->is_map()) return;
  if (section->find("context") == nullptr)
    section->set("context", YamlNode::of_text(folder, section->place));
  if (section->find("dockerfile") == nullptr && section->find("dockerfile_inline") == nullptr)
    section->set("dockerfile", YamlNode::of_text("Dockerfile", section->place));
}

void service(YamlNode& node, const std::string& folder) {
  if (!node.is_map()) return;
  default_network(node);
  implied_dependencies(node);
  replicas(node);
  build(node, folder);
}

// `external: {name: x}` is the old way of saying `external: true` and `name: x`.
void external(YamlNode& entry) {
  YamlNode* there = entry.find("external");
  if (there == nullptr) return;
  if (!there->is_map()) return entry.erase("external");
  const std::string name(there->word("name"));
  *there = YamlNode::of_boolean(true, there->place);
  if (!name.empty() && entry.find("name") == nullptr)
    entry.set("name", YamlNode::of_text(name, entry.place));
}

void names(YamlNode& project, const char* kind, const std::string& prefix) {
  YamlNode* all = project.find(kind);
  if (all == nullptr) return;
  for (Member& member : all->members) {
    if (!member.value.is_map()) member.value = YamlNode::of_map(member.place);
    external(member.value);
    if (!member.value.word("name").empty()) continue;
    const bool theirs = member.value.find("external") != nullptr;
    member.value.set(
        "name", YamlNode::of_text(theirs ? member.key : prefix + "_" + member.key, member.place));
  }
}

}  // namespace

void normalise(YamlNode& project, const NormaliseRequest& request) {
  const std::string& name = request.name;
  project.erase("version");
  project.set("name", YamlNode::of_text(name, project.place));
  bool uses_default = false;
  if (YamlNode* services = project.find("services")) {
    for (Member& member : services->members) {
      service(member.value, request.folder);
      const YamlNode* networks = member.value.find("networks");
      uses_default = uses_default || (networks != nullptr && networks->find("default") != nullptr);
    }
  }
  if (uses_default) {
    YamlNode& networks = project.at("networks");
    if (!networks.is_map()) networks = YamlNode::of_map(project.place);
    networks.at("default");
  }
  for (const char* kind : {"networks", "volumes", "configs", "secrets"}) names(project, kind, name);
}

void fill_environments(YamlNode& project, const FillRequest& request) {
  if (YamlNode* services = project.find("services"))
    for (Member& member : services->members)
      if (member.value.is_map()) environment(member.value, "services." + member.key, request);
}

}  // namespace compose
