#include "compose/loader/check.hpp"

#include <algorithm>
#include <limits>
#include <unordered_map>
#include <unordered_set>

#include "compose/loader/nearest.hpp"

namespace compose {
namespace {

const YamlNode nothing;

const YamlNode& part(const YamlNode& node, std::string_view key) {
  const YamlNode* there = node.find(key);
  return there == nullptr ? nothing : *there;
}

class Checker {
 public:
  Checker(const YamlNode& project, const std::map<std::string, Strings>& disabled,
          Findings& findings)
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
    const YamlNode& node = member.value;
    const std::string path = "services." + member.key;
    if (node.word("image").empty()) {
      const YamlNode* build = node.find("build");
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

  void networks(const YamlNode& node, const std::string& path) {
    const YamlNode& mode = part(node, "network_mode");
    const YamlNode& list = part(node, "networks");
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
    const YamlNode& all = part(project_, kind);
    if (all.find(name) != nullptr) return;
    std::vector<std::string_view> known;
    for (const Member& member : all.members) known.push_back(member.key);
    error(at.place, at.key,
          "`" + name + "` is not among the file's `" + kind + "`" + did_you_mean(name, known));
  }

  void references(const YamlNode& node, const std::string& path) {
    const auto each = [&](const char* key, auto use) {
      const YamlNode& list = part(node, key);
      for (std::size_t i = 0; i < list.items.size(); ++i)
        use(list.items[i], path + "." + key + "[" + std::to_string(i) + "]");
    };
    each("volumes", [&](const YamlNode& mount, const std::string& at) {
      const std::string source(mount.word("source"));
      if (mount.word("type") == "volume" && !source.empty())
        refer("volumes", source, {mount.place, at});
    });
    for (const char* kind : {"configs", "secrets"})
      each(kind, [&](const YamlNode& grant, const std::string& at) {
        refer(kind, std::string(grant.word("source")), {grant.place, at});
      });
  }

  void dependencies(const YamlNode& node, const std::string& path) {
    for (const Member& member : part(node, "depends_on").members) {
      if (services_.contains(member.key)) continue;
      if (const auto off = disabled_.find(member.key); off != disabled_.end()) {
        const YamlNode* required = member.value.find("required");
        if (required != nullptr && !required->truth) continue;
        std::string profiles;
        for (const std::string& profile : off->second)
          profiles += (profiles.empty() ? "--profile " : " or --profile ") + profile;
        error(member.place, path,
              "depends on `" + member.key + "`, whose profile is not enabled; give " + profiles);
        continue;
      }
      std::vector<std::string_view> known;
      for (const auto& [name, unused] : services_) known.push_back(name);
      std::sort(known.begin(), known.end());
      error(
          member.place, path,
          "depends on `" + member.key + "`, which is no service" + did_you_mean(member.key, known));
    }
  }

  void agree(const YamlNode& node, const std::string& path, const char* key,
             const YamlNode& other) {
    const YamlNode* own = node.find(key);
    if (own == nullptr || other.is_null() || own->real == other.real) return;
    error(own->place, path + "." + key,
          "contradicts `deploy`, which says " + other.text + "; leave one of them out");
  }

  void amounts(const YamlNode& node, const std::string& path) {
    const YamlNode& deploy = part(node, "deploy");
    const YamlNode& resources = part(deploy, "resources");
    const YamlNode& limits = part(resources, "limits");
    agree(node, path, "scale", part(deploy, "replicas"));
    agree(node, path, "cpus", part(limits, "cpus"));
    agree(node, path, "mem_limit", part(limits, "memory"));
    agree(node, path, "pids_limit", part(limits, "pids"));
    agree(node, path, "mem_reservation", part(part(resources, "reservations"), "memory"));
    const YamlNode& scale = node.find("scale") ? part(node, "scale") : part(deploy, "replicas");
    const YamlNode& name = part(node, "container_name");
    if (scale.integer > 1 && !name.is_null())
      error(name.place, path + ".container_name",
            "excludes more than one replica: a container's name is unique");
    const YamlNode& replicas = part(deploy, "replicas");
    if (replicas.integer < 0 || replicas.integer > 100'000)
      error(replicas.place, path + ".deploy.replicas",
            "expected at least 0 and at most 100000, not " + replicas.text);
    ranges(node, path);
  }

  void ranges(const YamlNode& node, const std::string& path) {
    struct Range {
      const char* key;
      std::int64_t least, most;
    };
    constexpr std::int64_t any = std::numeric_limits<std::int64_t>::max();
    for (const Range& range : {Range{"scale", 0, 100'000},
                               {"cpu_count", 0, any},
                               {"cpu_percent", 0, 100},
                               {"oom_score_adj", -1000, 1000},
                               {"pids_limit", -1, any},
                               {"mem_swappiness", -1, 100}}) {
      const YamlNode& number = part(node, range.key);
      if (number.integer >= range.least && number.integer <= range.most) continue;
      error(number.place, path + "." + range.key,
            "expected at least " + std::to_string(range.least) +
                (range.most == any ? "" : " and at most " + std::to_string(range.most)) + ", not " +
                number.text);
    }
  }

  void mounts(const YamlNode& node, const std::string& path) {
    std::unordered_map<std::string, std::string> targets;
    const auto each = [&](const char* key, auto target_of) {
      const YamlNode& list = part(node, key);
      for (std::size_t i = 0; i < list.items.size(); ++i) {
        const std::string at = path + "." + key + "[" + std::to_string(i) + "]";
        const auto [there, fresh] = targets.emplace(target_of(list.items[i]), at);
        if (!fresh)
          error(list.items[i].place, at,
                "`" + there->first + "` is mounted already by " + there->second);
      }
    };
    each("volumes", [](const YamlNode& mount) { return std::string(mount.word("target")); });
    each("tmpfs", [](const YamlNode& mount) { return mount.text.substr(0, mount.text.find(':')); });
  }

  void devices(const YamlNode& node, const std::string& path) {
    const YamlNode& reservations = part(part(part(node, "deploy"), "resources"), "reservations");
    for (const YamlNode* list : {&part(node, "gpus"), &part(reservations, "devices")})
      for (const YamlNode& device : list->items)
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

  // Services are taken away whose dependencies are all away; what stays is in a circle or behind
  // one.
  void circles() {
    std::unordered_map<std::string_view, std::size_t> waits;
    std::unordered_map<std::string_view, std::vector<std::string_view>> dependents;
    std::vector<std::string_view> ready;
    for (const Member& member : part(project_, "services").members) {
      std::size_t& count = waits[member.key];
      for (const Member& on : part(member.value, "depends_on").members) {
        if (!services_.contains(on.key)) continue;
        ++count;
        dependents[on.key].push_back(member.key);
      }
      if (count == 0) ready.push_back(member.key);
    }
    while (!ready.empty()) {
      const std::string_view name = ready.back();
      ready.pop_back();
      waits.erase(name);
      for (const std::string_view other : dependents[name])
        if (--waits[other] == 0) ready.push_back(other);
    }
    for (const Member& member : part(project_, "services").members)
      if (waits.contains(member.key)) return report_circle(member.key, waits);
  }

  void report_circle(std::string_view name,
                     const std::unordered_map<std::string_view, std::size_t>& waits) {
    std::vector<std::string_view> way;
    while (std::find(way.begin(), way.end(), name) == way.end()) {
      way.push_back(name);
      const auto& all = part(*services_.at(std::string(name)), "depends_on").members;
      name = std::find_if(all.begin(), all.end(), [&](const Member& on) {
               return waits.contains(on.key);
             })->key;
    }
    way.erase(way.begin(), std::find(way.begin(), way.end(), name));
    std::string text;
    for (const std::string_view one : way) text += std::string(one) + " -> ";
    const std::string first(way.front());
    error(services_.at(first)->place, "services." + first,
          "the services wait for each other: " + text + first);
  }

  const YamlNode& project_;
  const std::map<std::string, Strings>& disabled_;
  Findings& findings_;
  std::unordered_map<std::string, const YamlNode*> services_;
};

}  // namespace

void check(const YamlNode& project, const std::map<std::string, Strings>& disabled,
           Findings& findings) {
  Checker(project, disabled, findings).run();
}

}  // namespace compose
