#include "container/engine_json_fields.hpp"

#include <nlohmann/json.hpp>

#include "container/engine_json.hpp"

namespace container::engine_json {

json parse(const std::string& body) {
  json parsed = json::parse(body, nullptr, false);
  if (parsed.is_discarded())
    throw EngineError(0, "the engine's answer is no JSON: " + error_text(body));
  return parsed;
}

const json& at(const json& object, const char* key) {
  static const json nothing;
  if (!object.is_object()) return nothing;
  const auto found = object.find(key);
  return found == object.end() ? nothing : *found;
}

std::string text(const json& object, const char* key) {
  const json& value = at(object, key);
  return value.is_string() ? value.get<std::string>() : std::string();
}

std::int64_t integer(const json& object, const char* key) {
  const json& value = at(object, key);
  return value.is_number() ? value.get<std::int64_t>() : 0;
}

bool flag(const json& object, const char* key) {
  const json& value = at(object, key);
  return value.is_boolean() && value.get<bool>();
}

std::vector<std::string> texts(const json& object, const char* key) {
  std::vector<std::string> all;
  const json& value = at(object, key);
  if (value.is_string()) all.push_back(value.get<std::string>());
  if (!value.is_array()) return all;
  for (const auto& item : value) {
    if (item.is_string()) all.push_back(item.get<std::string>());
  }
  return all;
}

std::map<std::string, std::string> text_map(const json& object, const char* key) {
  std::map<std::string, std::string> all;
  const json& value = at(object, key);
  if (!value.is_object()) return all;
  for (const auto& [name, item] : value.items()) {
    if (item.is_string()) all.emplace(name, item.get<std::string>());
  }
  return all;
}

std::string without_slash(std::string name) {
  if (!name.empty() && name.front() == '/') name.erase(0, 1);
  return name;
}

std::string dump(const json& value, const char* what) {
  try {
    return value.dump();
  } catch (const json::type_error&) {
    throw EngineError(400, std::string(what) +
                               " holds bytes that are not UTF-8, which the engine cannot be told");
  }
}

}  // namespace container::engine_json
