#include "campaign/config/loader.hpp"

#include <filesystem>
#include <map>

#include "campaign/config/decoder.hpp"
#include "campaign/config/yaml_reader.hpp"

namespace campaign {
namespace {

std::string lines_of(const std::vector<Diagnostic>& diagnostics) {
  std::string text;
  for (const Diagnostic& diagnostic : diagnostics)
    text += (text.empty() ? "" : "\n") + diagnostic.text();
  return text;
}

using Diagnostics = std::vector<Diagnostic>;

[[noreturn]] void raise(Diagnostics diagnostics) {
  std::multimap<std::pair<int, int>, Diagnostic> by_place;
  for (Diagnostic& one : diagnostics) {
    by_place.emplace(std::pair(one.origin.line, one.origin.column), std::move(one));
  }
  diagnostics.clear();
  for (auto& [place, one] : by_place) diagnostics.push_back(std::move(one));
  throw ConfigError(std::move(diagnostics));
}

// Fills ${VAR} in every scalar below `value`, the values under `env` of runners apart.
class Interpolation {
 public:
  explicit Interpolation(const Environment& environment) : environment_(environment) {}

  void apply(Value& value, const std::string& path) {
    if (value.kind() == Value::Kind::string) return scalar(value, path);
    std::size_t at = 0;
    for (Value& item : value.items()) apply(item, path + "[" + std::to_string(at++) + "]");
    for (auto& [key, member] : value.members()) {
      const std::string below = path.empty() ? key : path + "." + key;
      if (!(key == "env" && runner(path))) apply(member, below);
    }
  }
  Diagnostics take() { return std::move(diagnostics_); }

 private:
  static bool runner(const std::string& path) {
    return path == "runner" || path.starts_with("runners.") || path.starts_with("backends.");
  }
  void scalar(Value& value, const std::string& path) {
    const std::string& text = value.as_string();
    if (text.find('$') == text.npos) return;
    try {
      std::string filled = interpolate(text, environment_);
      const Origin origin = value.origin();
      if (filled == text) return;
      value = value.plain() ? Value::plain_scalar(filled) : Value::string(std::move(filled));
      value.set_origin(origin);
    } catch (const std::runtime_error& e) {
      diagnostics_.push_back({value.origin(), path, e.what()});
    }
  }

  const Environment& environment_;
  Diagnostics diagnostics_;
};

struct KeyValue {
  std::string key;
  Value value;
};

void mark_origin(Value& value) {
  value.set_origin({"--set", 0, 0});
  for (Value& item : value.items()) mark_origin(item);
  for (auto& [key, member] : value.members()) {
    mark_origin(member);
    value.set_key_origin(key, {"--set", 0, 0});
  }
}

KeyValue parse_set(const std::string& set) {
  const auto equals = set.find('=');
  if (equals == set.npos || equals == 0) {
    throw ConfigError({{{"--set", 0, 0}, "", "expected KEY=VALUE, not \"" + set + "\""}});
  }
  YamlDocument document = read_yaml({.text = set.substr(equals + 1), .name = "--set"});
  if (!document.diagnostics.empty()) {
    Diagnostic first = document.diagnostics[0];
    first.origin = {"--set", 0, 0};
    first.key = set.substr(0, equals);
    throw ConfigError({first});
  }
  mark_origin(document.value);
  return {set.substr(0, equals), std::move(document.value)};
}

void put(Value& map, const std::string& key, Value value) {
  map.set_key_origin(key, {"--set", 0, 0});
  if (Value* known = map.find(key)) {
    *known = std::move(value);
  } else {
    map.members().emplace_back(key, std::move(value));
  }
}

// The spelling under which `map` holds the field that `key` names.
std::string spelling(const Section& section, const Value& map, const std::string& key) {
  const Field* field = section.find(key);
  for (const auto& [name, value] : map.members()) {
    if (field && section.find(name) == field) return name;
  }
  return key;
}

void apply_set(const Section* section, Value& map, std::string_view path, Value value);

// The map below `key`, made where there is none.
Value& child(Value& map, const std::string& key) {
  if (!map.find(key) || !map.find(key)->is_map()) {
    Value made = Value::map({});
    made.set_origin({"--set", 0, 0});
    put(map, key, std::move(made));
  }
  return *map.find(key);
}

void set_in_named(const Section& section, Value& map, std::string_view path, Value value) {
  std::size_t length = path.find('.');
  for (auto dot = length; dot != path.npos; dot = path.find('.', dot + 1)) {
    if (map.find(path.substr(0, dot))) length = dot;
  }
  const std::string name(path.substr(0, length));
  if (length == path.npos) return put(map, name, std::move(value));
  apply_set(&section, child(map, name), path.substr(length + 1), std::move(value));
}

void apply_set(const Section* section, Value& map, std::string_view path, Value value) {
  const auto dot = path.find('.');
  const std::string key = spelling(*section, map, std::string(path.substr(0, dot)));
  const Field* field = section->find(key);
  if (dot == path.npos || !field)
    return put(map, dot == path.npos ? key : std::string(path), std::move(value));
  const auto rest = path.substr(dot + 1);
  switch (field->type) {
    case FieldType::object:
      return apply_set(field->section(), child(map, key), rest, std::move(value));
    case FieldType::object_map:
      return set_in_named(*field->section(), child(map, key), rest, std::move(value));
    case FieldType::free_map:
    case FieldType::axes_map:
    case FieldType::scalar_map:
    case FieldType::env:
    case FieldType::ulimits:
      return put(child(map, key), std::string(rest), std::move(value));
    case FieldType::unsupported:
      return put(map, key, std::move(value));
    default:
      break;
  }
  throw ConfigError({{{"--set", 0, 0},
                      std::string(path),
                      "`" + key + "` has no keys below it; give its whole value"}});
}

Campaign decode(Value document, const std::string& file, bool fresh, Diagnostics diagnostics) {
  Campaign campaign;
  const std::filesystem::path absolute = std::filesystem::absolute(file).lexically_normal();
  campaign.file = absolute.string();
  campaign.folder = absolute.parent_path().string();
  Decoder::Source source{.file = campaign.file, .folder = campaign.folder, .fresh = fresh};
  const Value* vars = document.find("vars");
  const Value known_vars = vars ? *vars : Value::map({});
  source.vars = &known_vars;
  Decoder decoder(source);
  Value io = Value::map({});
  Decoder(source).section(*io_section(), io, &campaign.io);
  Value execution = Value::map({});
  Decoder(source).section(*execution_section(), execution, &campaign.execution);
  decoder.section(*campaign_section(), document, &campaign);
  for (Diagnostic& found : decoder.take_diagnostics()) diagnostics.push_back(std::move(found));
  if (!diagnostics.empty()) raise(std::move(diagnostics));
  campaign.warnings = decoder.take_warnings();
  campaign.document = std::move(document);
  return campaign;
}

void refuse_document(const Value& value, const std::string& key, Diagnostics& diagnostics) {
  const Value* found = value.find(key);
  if (!found) return;
  diagnostics.push_back({value.key_origin(key), key, "`" + key + "` is not supported yet"});
}

}  // namespace

std::string Diagnostic::text() const {
  std::string out = origin.text();
  if (!key.empty()) out += (out.empty() ? "" : ": ") + key;
  return out + (out.empty() ? "" : ": ") + message;
}

ConfigError::ConfigError(std::vector<Diagnostic> diagnostics)
    : std::runtime_error(lines_of(diagnostics)), diagnostics_(std::move(diagnostics)) {}

const char* name_of(Strategy strategy) {
  return strategy == Strategy::ephemeral ? "ephemeral" : "persistent";
}

const Runner* runner_for(const Campaign& campaign, const std::string& backend) {
  const auto found = campaign.runners.find(backend);
  if (found != campaign.runners.end()) return &found->second;
  return campaign.runner ? &*campaign.runner : nullptr;
}

void add_services(Campaign& campaign, std::map<std::string, Value> services) {
  campaign.services = std::move(services);
  if (campaign.runner) return;
  for (const auto& [name, said] : campaign.services) {
    Runner made;
    made.type = RunnerType::compose;
    made.strategy = campaign.container.strategy;
    campaign.runners.try_emplace(name, std::move(made));
  }
}

Campaign load_campaign(const LoadRequest& request) {
  YamlDocument document{.value = request.document, .diagnostics = {}, .whole = true};
  if (request.document.is_null()) document = read_yaml(read_text_file(request.path));
  if (!document.whole) raise(std::move(document.diagnostics));
  if (document.value.is_null()) {
    throw ConfigError(
        {{{request.path, 0, 0}, "", "is empty; a campaign file begins with `name:`"}});
  }
  if (!document.value.is_map()) {
    if (!document.diagnostics.empty()) raise(std::move(document.diagnostics));
    raise(
        {{document.value.origin(), "", "expected a map of keys, not " + describe(document.value)}});
  }
  for (const std::string& set : request.sets) {
    KeyValue one = parse_set(set);
    apply_set(campaign_section(), document.value, one.key, std::move(one.value));
  }
  if (request.document.is_null()) {
    Interpolation interpolation(request.environment);
    interpolation.apply(document.value, "");
    for (Diagnostic& found : interpolation.take()) document.diagnostics.push_back(std::move(found));
  }
  return decode(std::move(document.value), request.path, true, std::move(document.diagnostics));
}

Campaign decode_campaign(const Value& document, const std::string& file) {
  return decode(document, file, false, {});
}

Value load_document(const std::string& path, const Environment& environment) {
  YamlDocument document = read_yaml(read_text_file(path));
  if (!document.whole) raise(std::move(document.diagnostics));
  if (!document.value.is_map()) {
    const std::string found = document.value.is_null() ? "nothing" : describe(document.value);
    const Origin& at = document.value.origin();
    document.diagnostics.push_back(
        {at.file.empty() ? Origin{path, 0, 0} : at, "", "expected a map of keys, not " + found});
    raise(std::move(document.diagnostics));
  }
  Interpolation interpolation(environment);
  interpolation.apply(document.value, "");
  for (Diagnostic& found : interpolation.take()) document.diagnostics.push_back(std::move(found));
  for (const char* key : {"_extends", "preset"})
    refuse_document(document.value, key, document.diagnostics);
  if (!document.diagnostics.empty()) raise(std::move(document.diagnostics));
  return std::move(document.value);
}

}  // namespace campaign
