#include "campaign/results/environment.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "campaign/metrics/text.hpp"

namespace campaign {

using nlohmann::ordered_json;

namespace {

std::string text_of(const Fact::Value& value) {
  if (const bool* yes = std::get_if<bool>(&value)) return *yes ? "yes" : "no";
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  if (const auto* number = std::get_if<std::int64_t>(&value)) return std::to_string(*number);
  std::array<char, 32> digits;
  const auto end =
      std::to_chars(digits.data(), digits.data() + digits.size(), std::get<double>(value));
  return {digits.data(), end.ptr};
}

template <class Groups>
const FactGroup* group_of(const Groups& groups, const std::string& name) {
  const auto found = std::ranges::find(groups, name, &FactGroup::name);
  return found == groups.end() ? nullptr : &*found;
}

void add_changes(const FactGroup& before, const FactGroup& now, std::vector<std::string>& into,
                 const std::string& who) {
  for (const Fact& fact : now.facts) {
    const Fact* known = before.find(fact.name);
    if (known && known->value && fact.value && known->value != fact.value)
      into.push_back(who + " " + fact.name + ": " + to_text(*known) + " -> " + to_text(fact));
  }
}

std::string name_of_gpu(const FactGroup& gpu) {
  const Fact* index = gpu.find("index");
  return "GPU " + (index && index->value ? to_text(*index) : gpu.name);
}

ordered_json value_json(const Fact::Value& value) {
  return std::visit(
      [](const auto& known) -> ordered_json {
        if constexpr (std::is_same_v<std::decay_t<decltype(known)>, std::string>)
          return valid_utf8(known);
        else
          return known;
      },
      value);
}

ordered_json group_json(const FactGroup& group) {
  ordered_json object = ordered_json::object();
  for (const Fact& fact : group.facts)
    object[fact.name] = fact.value ? value_json(*fact.value)
                                   : ordered_json{{"unavailable", valid_utf8(fact.unavailable)}};
  return object;
}

std::optional<Fact> fact_from(const std::string& name, const ordered_json& member) {
  if (member.is_boolean()) return Fact::of(name, member.get<bool>());
  if (member.is_number_integer()) return Fact::of(name, member.get<std::int64_t>());
  if (member.is_number()) return Fact::of(name, member.get<double>());
  if (member.is_string()) return Fact::of(name, member.get<std::string>());
  if (!member.is_object()) return std::nullopt;
  const auto why = member.find("unavailable");
  if (why == member.end() || !why->is_string()) return std::nullopt;
  return Fact::unknown(name, why->get<std::string>());
}

FactGroup group_from(const std::string& name, const ordered_json& object) {
  FactGroup group{.name = name, .facts = {}};
  for (const auto& [key, member] : object.items())
    if (auto fact = fact_from(key, member)) group.facts.push_back(std::move(*fact));
  return group;
}

}  // namespace

Fact Fact::of(std::string name, Value value) {
  return {.name = std::move(name), .value = std::move(value), .unavailable = ""};
}

Fact Fact::unknown(std::string name, std::string why) {
  return {.name = std::move(name), .value = std::nullopt, .unavailable = std::move(why)};
}

std::string to_text(const Fact& fact) {
  return fact.value ? text_of(*fact.value) : "unavailable (" + fact.unavailable + ")";
}

const Fact* FactGroup::find(const std::string& fact) const {
  const auto found = std::ranges::find(facts, fact, &Fact::name);
  return found == facts.end() ? nullptr : &*found;
}

const FactGroup* EnvironmentRecord::find(const std::string& group) const {
  return group_of(groups, group);
}

std::vector<std::string> environment_changes(const EnvironmentRecord& before,
                                             const EnvironmentRecord& now) {
  std::vector<std::string> changes;
  for (const FactGroup& group : now.groups) {
    const FactGroup* known = before.find(group.name);
    if (known && group.name != "image" && group.name != "job")
      add_changes(*known, group, changes, group.name);
  }
  for (const FactGroup& gpu : now.gpus)
    if (const FactGroup* known = group_of(before.gpus, gpu.name))
      add_changes(*known, gpu, changes, name_of_gpu(gpu));
  return changes;
}

ordered_json environment_json(const EnvironmentRecord& environment) {
  ordered_json object = ordered_json::object();
  for (const FactGroup& group : environment.groups) object[group.name] = group_json(group);
  object["gpus"] = ordered_json::array();
  for (const FactGroup& gpu : environment.gpus) object["gpus"].push_back(group_json(gpu));
  return object;
}

EnvironmentRecord environment_from(const ordered_json& object) {
  if (!object.is_object()) throw std::runtime_error("not an object");
  EnvironmentRecord environment;
  for (const auto& [name, member] : object.items()) {
    if (name != "gpus" && member.is_object())
      environment.groups.push_back(group_from(name, member));
    if (name != "gpus" || !member.is_array()) continue;
    for (const ordered_json& item : member) {
      if (!item.is_object()) continue;
      FactGroup gpu = group_from("", item);
      const Fact* uuid = gpu.find("uuid");
      if (uuid && uuid->value) gpu.name = text_of(*uuid->value);
      environment.gpus.push_back(std::move(gpu));
    }
  }
  return environment;
}

}  // namespace campaign
