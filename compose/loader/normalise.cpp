#include "compose/loader/normalise.hpp"

#include "compose/loader/dotenv.hpp"

namespace compose {
namespace {

constexpr std::string_view of_service = "service:";

Node& depend(Node& service, std::string_view on, const Place& place) {
  Node& all = service.at("depends_on");
  if (!all.is_map()) all = Node::of_map(place);
  Node& entry = all.at(on);
  if (entry.is_map()) return entry;
  entry = Node::of_map(place);
  entry.set("condition", Node::of_text("service_started", place));
  entry.set("required", Node::of_boolean(true, place));
  return entry;
}

void depend_and_restart(Node& service, std::string_view on, const Place& place) {
  const Node* all = service.find("depends_on");
  if (all != nullptr && all->find(on) != nullptr) return;
  depend(service, on, place).set("restart", Node::of_boolean(true, place));
}

void implied_dependencies(Node& service) {
  if (const Node* links = service.find("links")) {
    const Node copy = *links;
    for (const Node& link : copy.items)
      depend_and_restart(service, link.text.substr(0, link.text.find(':')), link.place);
  }
  for (const char* key : {"network_mode", "ipc", "pid", "uts", "cgroup"}) {
    const Node* mode = service.find(key);
    if (mode == nullptr || !mode->text.starts_with(of_service)) continue;
    const Node copy = *mode;
    depend_and_restart(service, std::string_view(copy.text).substr(of_service.size()), copy.place);
  }
  if (const Node* from = service.find("volumes_from")) {
    const Node copy = *from;
    for (const Node& other : copy.items)
      if (!other.text.starts_with("container:"))
        depend(service, other.text.substr(0, other.text.find(':')), other.place);
  }
}

void default_network(Node& service) {
  const Node* networks = service.find("networks");
  const bool some = networks != nullptr && !networks->members.empty();
  if (service.find("network_mode") != nullptr || some) return;
  Node map = Node::of_map(service.place);
  map.at("default") = Node{.place = service.place};
  service.set("networks", std::move(map));
}

void replicas(Node& service) {
  const Node* scale = service.find("scale");
  Node* deploy = service.find("deploy");
  if (scale == nullptr || deploy == nullptr || !deploy->is_map()) return;
  if (deploy->find("replicas") == nullptr) deploy->set("replicas", *scale);
}

// The values of files, then those of the key itself over them.
void lay_over(Node& service, const char* key, const StringMap& from_files) {
  if (from_files.empty()) return;
  Node map = Node::of_map(service.place);
  for (const auto& [name, value] : from_files)
    map.members.push_back({name, service.place, Node::of_text(value, service.place)});
  if (const Node* own = service.find(key))
    for (const Member& member : own->members) map.set(member.key, member.value);
  service.set(key, std::move(map));
}

StringMap read_files(const Node& list, const FillRequest& request) {
  StringMap values;
  for (const Node& entry : list.items) {
    const bool plain = entry.is_text();
    const std::string path(plain ? std::string_view{entry.text} : entry.word("path"));
    const Node* required = entry.find("required");
    if (path.empty()) continue;
    if (!exists(path)) {
      if (plain || required == nullptr || required->truth)
        request.findings.error(entry.place, "", "there is no file " + path);
      continue;
    }
    const std::string_view format = entry.word("format");
    if (!format.empty() && format != "raw")
      request.findings.error(entry.place, "", "env_file.format: expected raw or nothing");
    const Source source = request.sources.read(path);
    const Lookup lookup = [&](std::string_view name) -> std::optional<std::string> {
      const std::string wanted(name);
      if (const auto outer = request.environment.find(wanted); outer != request.environment.end())
        return outer->second;
      const auto here = values.find(wanted);
      return here == values.end() ? std::nullopt : std::optional(here->second);
    };
    for (auto& [name, value] : read_dotenv(
             {.source = source, .lookup = lookup, .raw = format == "raw"}, request.findings))
      values[name] = std::move(value);
  }
  return values;
}

void environment(Node& service, const FillRequest& request) {
  if (Node* own = service.find("environment"))
    for (Member& member : own->members)
      if (const auto outer = request.environment.find(member.key);
          member.value.is_null() && outer != request.environment.end())
        member.value = Node::of_text(outer->second, member.place);
  if (const Node* files = service.find("env_file")) {
    lay_over(service, "environment", read_files(Node(*files), request));
    service.erase("env_file");
  }
  if (const Node* files = service.find("label_file")) {
    lay_over(service, "labels", read_files(Node(*files), request));
    service.erase("label_file");
  }
}

void build(Node& service) {
  Node* section = service.find("build");
  if (section == nullptr || !section->is_map()) return;
  if (section->find("dockerfile") == nullptr && section->find("dockerfile_inline") == nullptr)
    section->set("dockerfile", Node::of_text("Dockerfile", section->place));
}

void service(Node& node) {
  if (!node.is_map()) return;
  default_network(node);
  implied_dependencies(node);
  replicas(node);
  build(node);
}

// `external: {name: x}` is the old way of saying `external: true` and `name: x`.
void external(Node& entry) {
  Node* there = entry.find("external");
  if (there == nullptr) return;
  if (!there->is_map()) return entry.erase("external");
  const std::string name(there->word("name"));
  *there = Node::of_boolean(true, there->place);
  if (!name.empty() && entry.find("name") == nullptr)
    entry.set("name", Node::of_text(name, entry.place));
}

void names(Node& project, const char* kind, const std::string& prefix) {
  Node* all = project.find(kind);
  if (all == nullptr) return;
  for (Member& member : all->members) {
    if (!member.value.is_map()) member.value = Node::of_map(member.place);
    external(member.value);
    if (!member.value.word("name").empty()) continue;
    const bool theirs = member.value.find("external") != nullptr;
    member.value.set("name",
                     Node::of_text(theirs ? member.key : prefix + "_" + member.key, member.place));
  }
}

}  // namespace

void normalise(Node& project, const std::string& name) {
  project.erase("version");
  project.set("name", Node::of_text(name, project.place));
  bool uses_default = false;
  if (Node* services = project.find("services")) {
    for (Member& member : services->members) {
      service(member.value);
      const Node* networks = member.value.find("networks");
      uses_default = uses_default || (networks != nullptr && networks->find("default") != nullptr);
    }
  }
  if (uses_default) {
    Node& networks = project.at("networks");
    if (!networks.is_map()) networks = Node::of_map(project.place);
    networks.at("default");
  }
  for (const char* kind : {"networks", "volumes", "configs", "secrets"}) names(project, kind, name);
}

void fill_environments(Node& project, const FillRequest& request) {
  if (Node* services = project.find("services"))
    for (Member& member : services->members)
      if (member.value.is_map()) environment(member.value, request);
}

}  // namespace compose
