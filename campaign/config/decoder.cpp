#include "campaign/config/decoder.hpp"

#include <algorithm>
#include <set>

#include "campaign/config/nearest.hpp"

namespace campaign {
namespace {

void search(const Section& section, std::string_view key, const std::string& prefix,
            std::string& found) {
  for (const Field& field : section.fields) {
    if (!found.empty() || field.type == FieldType::unsupported) continue;
    if (field.name == key) found = prefix + field.name;
    if (field.type == FieldType::object)
      search(*field.section(), key, prefix + field.name + ".", found);
  }
}

std::string kinds_text(unsigned kinds) {
  std::string text;
  for (const auto& [kind, name] : {std::pair{docker_runner, "`docker`"},
                                   {compose_runner, "`compose`"},
                                   {local_runner, "`local`"}})
    if (kinds & kind) text += (text.empty() ? "" : " and ") + std::string(name);
  return text;
}

}  // namespace

const Field* Section::find(std::string_view key) const {
  for (const Field& field : fields) {
    if (field.name == key) return &field;
    if (std::find(field.aliases.begin(), field.aliases.end(), key) != field.aliases.end())
      return &field;
  }
  return nullptr;
}

std::vector<std::string> Section::names() const {
  std::vector<std::string> out;
  for (const Field& field : fields) {
    if (field.type != FieldType::unsupported) out.push_back(field.name);
  }
  return out;
}

std::string Decoder::path() const {
  std::string dotted;
  for (const std::string& part : path_) {
    if (!dotted.empty() && part[0] != '[') dotted += '.';
    dotted += part;
  }
  return dotted;
}

void Decoder::fail(const Value& at, std::string message) {
  diagnostics_.push_back({at.origin(), path(), std::move(message)});
}

void Decoder::fail_key(const Value& map, const std::string& key, std::string message) {
  const Scope scope(*this, key);
  diagnostics_.push_back({map.key_origin(key), path(), std::move(message)});
}

void Decoder::warn(const Value& at, const std::string& message) {
  warnings_.push_back(Diagnostic{at.origin(), path(), message}.text());
}

std::vector<Diagnostic> Decoder::take_diagnostics() { return std::move(diagnostics_); }

std::string Decoder::unknown_key(const Section& section, const std::string& key) const {
  std::string message = "unknown key" + did_you_mean(key, section.names());
  std::string elsewhere;
  if (message == "unknown key" && path_.empty()) search(*campaign_section(), key, "", elsewhere);
  if (!elsewhere.empty()) message += "; did you mean `" + elsewhere + "`?";
  return message;
}

bool Decoder::accepted(const Section& section, const Value& map, std::size_t at,
                       const Field* field) {
  const std::string& key = map.members()[at].first;
  if (!field) {
    fail_key(map, key, unknown_key(section, key));
    return false;
  }
  if (field->type == FieldType::unsupported) {
    fail_key(map, key,
             "`" + key + "` " + (field->help.empty() ? "is not supported yet" : field->help));
    return false;
  }
  for (std::size_t i = 0; i < at; ++i) {
    if (section.find(map.members()[i].first) != field) continue;
    fail_key(map, key,
             "`" + key + "` and `" + map.members()[i].first + "` are one key; keep one of them");
    return false;
  }
  if (field->applies && kind_ && !(field->applies & kind_)) {
    fail_key(map, key,
             "does not apply to a " + kinds_text(kind_) + " runner, only to " +
                 kinds_text(field->applies));
    return false;
  }
  return true;
}

void Decoder::member(const Section& section, Value& map, std::size_t at, void* target) {
  const Field* field = section.find(map.members()[at].first);
  if (!accepted(section, map, at, field)) return;
  auto& [key, value] = map.members()[at];
  const Scope scope(*this, key);
  if (!value.is_null()) {
    field->store(*this, *field, value, target);
  } else if (field->required || !field->fallback.empty()) {
    fail(value, "has no value");
  }
}

void Decoder::members(const Section& section, Value& map, void* target) {
  for (const Field& field : section.fields) {
    if (field.fallback.empty() || !field.store ||
        (field.applies && kind_ && !(field.applies & kind_)))
      continue;
    Value value = Value::plain_scalar(field.fallback);
    field.store(*this, field, value, target);
  }
  for (std::size_t at = 0; at < map.members().size(); ++at) member(section, map, at, target);
  for (const Field& field : section.fields) {
    const auto names_it = [&](const auto& member) { return section.find(member.first) == &field; };
    if (field.required && std::none_of(map.members().begin(), map.members().end(), names_it)) {
      fail(map, "`" + field.name + "` is missing: " + field.help);
    }
  }
}

void Decoder::section(const Section& section, Value& map, void* target) {
  if (!map.is_map()) {
    fail(map, "expected a map of keys, not " + describe(map));
    return;
  }
  const unsigned kind_before = kind_;
  maps_.push_back(&map);
  if (section.kind) kind_ = section.kind(*this, map);
  members(section, map, target);
  if (section.check) section.check(*this, map, target);
  maps_.pop_back();
  kind_ = kind_before;
}

std::string Decoder::absolute(const std::string& path) const {
  if (path.empty() || path[0] == '/' || path[0] == '{') return path;
  std::string_view rest = path;
  while (rest.starts_with("./")) rest.remove_prefix(2);
  if (rest == ".") return source_.folder;
  return (source_.folder == "/" ? "" : source_.folder) + "/" + std::string(rest);
}

}  // namespace campaign
