// The circumstances of a run: what its machine, engine, image, job and GPUs were just before it
// began. Facts are rows of lists, so that a new one is a row where it is found out and nothing
// more. What could not be found out says why, and is never 0 or empty.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace campaign {

struct Fact {
  using Value = std::variant<bool, std::int64_t, double, std::string>;
  std::string name;  // with its unit: "power_limit_w"
  std::optional<Value> value;
  std::string unavailable;  // why there is no value

  static Fact of(std::string name, Value value);
  static Fact unknown(std::string name, std::string why);
  bool operator==(const Fact&) const = default;
};
// "350", "yes", "performance", "unavailable (why)".
std::string to_text(const Fact& fact);

struct FactGroup {
  std::string name;
  std::vector<Fact> facts;
  const Fact* find(const std::string& fact) const;  // nullptr: it has none of that name
  bool operator==(const FactGroup&) const = default;
};

struct EnvironmentRecord {
  std::vector<FactGroup> groups;  // host, cpu, engine, ...: what does not apply is not there
  // A group for each GPU of the run, in the order in which it sees them. Its name is the UUID,
  // which its fact `uuid` repeats.
  std::vector<FactGroup> gpus;
  const FactGroup* find(const std::string& group) const;
  bool operator==(const EnvironmentRecord&) const = default;
};

// What is different now, as "cpu governor: powersave -> performance". Facts are compared where both
// have a value, GPUs by their UUID; image and job are left out, which runs have of their own.
std::vector<std::string> environment_changes(const EnvironmentRecord& before,
                                             const EnvironmentRecord& now);

// One JSON object: a member for each group, and `gpus`, a list. A fact is its value, or an object
// with the one member `unavailable`. Reading leaves out what it does not know; a document that is
// no such object throws std::runtime_error.
nlohmann::ordered_json environment_json(const EnvironmentRecord& environment);
EnvironmentRecord environment_from(const nlohmann::ordered_json& object);

}  // namespace campaign
