#include "compose/loader/check.hpp"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "compose/loader/nearest.hpp"

namespace compose {
namespace {

const Node nothing;

const Node& part(const Node& node, std::string_view key) {
  const Node* there = node.find(key);
  return there == nullptr ? nothing : *there;
}

class Checker {
 public:
  Checker(const Node& project, const std::map<std::string, Strings>& disabled, Findings& findings)
      : project_(project), disabled_(disabled), findings_(findings) {
    for (const Member& member : part(project, "services").members)
      services_.emplace(member.key, &member.value);
  }

  void run() {
    for (const Member& member : part(project_, "services").members)
      if (member.value.is_map()) service(member);
    circles();
    for (const char* kind : {"networks", "volumes"})
      for (const Member& member : part(project_, kind).members) resource(kind, member);
    for (const Member& member : part(project_, "secrets").members)
      file_object("secrets", member, {"file", "environment"});
    for (const Member& member : part(project_, "configs").members)
      file_object("configs", member, {"file", "environment", "content"});
  }

 private:
  void error(const Place& place, std::string key, std::string message) {
    findings_.error(place, std::move(key), std::move(message));
  }

  void service(const Member& member) {
    const Node& node = member.value;
    const std::string path = "services." + member.key;
    if (node.find("image") == nullptr) {
      const Node* build = node.find("build");
      error(build == nullptr ? member.place : build->place,
            path + (build == nullptr ? "" : ".build"),
            build == nullptr
                ? "has neither `image` nor `build`"
                : "not done by campaignctl: build the image first (docker build -t NAME ...) and "
                  "give `image: NAME` beside it");
    }
    networks(node, path);
    references(node, path);
    dependencies(node, path);
    amounts(node, path);
    mounts(node, path);
    devices(node, path);
  }

  void networks(const Node& node, const std::string& path) {
    const Node& mode = part(node, "network_mode");
    const Node& list = part(node, "networks");
    if (!mode.is_null() && !list.members.empty())
      error(mode.place, path + ".network_mode", "excludes `networks`; leave one of them out");
    for (const Member& member : list.members)
      refer("networks", member.key, {member.place, path + ".networks." + member.key});
  }

  struct At {
    Place place;
    std::string key;
  };

  void refer(const char* kind, const std::string& name, const At& at) {
    const Node& all = part(project_, kind);
    if (all.find(name) != nullptr) return;
    std::vector<std::string_view> known;
    for (const Member& member : all.members) known.push_back(member.key);
    error(at.place, at.key,
          "`" + name + "` is not among the file's `" + kind + "`" + did_you_mean(name, known));
  }

  void references(const Node& node, const std::string& path) {
    const auto each = [&](const char* key, auto use) {
      const Node& list = part(node, key);
      for (std::size_t i = 0; i < list.items.size(); ++i)
        use(list.items[i], path + "." + key + "[" + std::to_string(i) + "]");
    };
    each("volumes", [&](const Node& mount, const std::string& at) {
      const std::string source(mount.word("source"));
      if (mount.word("type") == "volume" && !source.empty())
        refer("volumes", source, {mount.place, at});
    });
    for (const char* kind : {"configs", "secrets"})
      each(kind, [&](const Node& grant, const std::string& at) {
        refer(kind, std::string(grant.word("source")), {grant.place, at});
      });
  }

  void dependencies(const Node& node, const std::string& path) {
    for (const Member& member : part(node, "depends_on").members) {
      if (services_.contains(member.key)) continue;
      const std::string at = path + ".depends_on." + member.key;
      if (const auto off = disabled_.find(member.key); off != disabled_.end()) {
        const Node* required = member.value.find("required");
        if (required != nullptr && !required->truth) continue;
        std::string profiles;
        for (const std::string& profile : off->second) profiles += " --profile " + profile;
        error(member.place, at,
              "`" + member.key + "` is in a profile that is not enabled; give" + profiles);
        continue;
      }
      std::vector<std::string_view> known;
      for (const auto& [name, unused] : services_) known.push_back(name);
      std::sort(known.begin(), known.end());
      error(member.place, at,
            "there is no service `" + member.key + "`" + did_you_mean(member.key, known));
    }
  }

  void agree(const Node& node, const std::string& path, const char* key, const Node& other) {
    const Node* own = node.find(key);
    if (own == nullptr || other.is_null() || own->real == other.real) return;
    error(own->place, path + "." + key,
          "contradicts `deploy`, which says " + other.text + "; leave one of them out");
  }

  void amounts(const Node& node, const std::string& path) {
    const Node& deploy = part(node, "deploy");
    const Node& resources = part(deploy, "resources");
    const Node& limits = part(resources, "limits");
    agree(node, path, "scale", part(deploy, "replicas"));
    agree(node, path, "cpus", part(limits, "cpus"));
    agree(node, path, "mem_limit", part(limits, "memory"));
    agree(node, path, "pids_limit", part(limits, "pids"));
    agree(node, path, "mem_reservation", part(part(resources, "reservations"), "memory"));
    const Node& scale = node.find("scale") ? part(node, "scale") : part(deploy, "replicas");
    const Node& name = part(node, "container_name");
    if (scale.integer > 1 && !name.is_null())
      error(name.place, path + ".container_name",
            "excludes more than one replica: a container's name is unique");
    for (const Node* count : {&scale, &part(node, "pids_limit")})
      if (count->integer < (count == &scale ? 0 : -1) || count->integer > 10'000'000)
        error(count->place, path, "the number " + count->text + " is out of range");
  }

  void mounts(const Node& node, const std::string& path) {
    std::unordered_map<std::string, std::string> targets;
    const auto each = [&](const char* key, auto target_of) {
      const Node& list = part(node, key);
      for (std::size_t i = 0; i < list.items.size(); ++i) {
        const std::string at = path + "." + key + "[" + std::to_string(i) + "]";
        const auto [there, fresh] = targets.emplace(target_of(list.items[i]), at);
        if (!fresh)
          error(list.items[i].place, at,
                "`" + there->first + "` is mounted already by " + there->second);
      }
    };
    each("volumes", [](const Node& mount) { return std::string(mount.word("target")); });
    each("tmpfs", [](const Node& mount) { return mount.text.substr(0, mount.text.find(':')); });
  }

  void devices(const Node& node, const std::string& path) {
    const Node& reservations = part(part(part(node, "deploy"), "resources"), "reservations");
    for (const Node* list : {&part(node, "gpus"), &part(reservations, "devices")})
      for (const Node& device : list->items)
        if (device.find("count") != nullptr && device.find("device_ids") != nullptr)
          error(device.place, path, "a device request has `count` or `device_ids`, not both");
  }

  void resource(const char* kind, const Member& member) {
    if (member.value.find("external") == nullptr) return;
    for (const Member& key : member.value.members)
      if (key.key != "external" && key.key != "name" && !key.key.starts_with("x-"))
        error(key.place, std::string(kind) + "." + member.key + "." + key.key,
              "what is external is made by others; leave this out");
  }

  void file_object(const char* kind, const Member& member,
                   std::initializer_list<const char*> keys) {
    std::string expected;
    int given = 0;
    for (const char* key : keys) {
      expected += (expected.empty() ? "" : ", ") + std::string(key);
      given += member.value.find(key) == nullptr ? 0 : 1;
    }
    if (given != 1)
      error(member.place, std::string(kind) + "." + member.key, "expected one of " + expected);
  }

  void circles() {
    std::unordered_map<std::string, int> seen;  // 1: on the way, 2: done
    for (const Member& member : part(project_, "services").members) visit(member.key, seen, {});
  }

  void visit(const std::string& name, std::unordered_map<std::string, int>& seen, Strings way) {
    const auto service = services_.find(name);
    int& state = seen[name];
    if (service == services_.end() || state == 2) return;
    way.push_back(name);
    if (state == 1) {
      std::string text;
      for (auto at = std::find(way.begin(), way.end(), name); at != way.end(); ++at)
        text += (text.empty() ? "" : " -> ") + *at;
      error(service->second->place, "services." + name + ".depends_on",
            "the services wait for each other: " + text);
      return;
    }
    state = 1;
    for (const Member& member : part(*service->second, "depends_on").members)
      visit(member.key, seen, way);
    seen[name] = 2;
  }

  const Node& project_;
  const std::map<std::string, Strings>& disabled_;
  Findings& findings_;
  std::unordered_map<std::string, const Node*> services_;
};

}  // namespace

void check(const Node& project, const std::map<std::string, Strings>& disabled,
           Findings& findings) {
  Checker(project, disabled, findings).run();
}

}  // namespace compose
