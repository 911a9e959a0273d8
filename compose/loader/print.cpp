#include "compose/loader/print.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "compose/loader/fields.hpp"
#include "compose/loader/scalars.hpp"

namespace compose {
namespace {

using Json = nlohmann::ordered_json;

// Sizes are printed as texts, as they may have units.
bool is_size(const Field* field) { return field != nullptr && field->form == Form::bytes; }

void tidy_section(YamlNode& node, const Section& what);

void tidy_value(YamlNode& node, const Field& field) {
  if (is_size(&field)) node = YamlNode::of_text(node.text, node.place);
  if (field.form == Form::section) return tidy_section(node, field.section());
  if (field.form == Form::sections)
    for (YamlNode& item : node.items) tidy_section(item, field.section());
  if (field.form != Form::named) return;
  for (Member& member : node.members) tidy_section(member.value, field.section());
  std::sort(node.members.begin(), node.members.end(),
            [](const Member& a, const Member& b) { return a.key < b.key; });
}

void tidy_section(YamlNode& node, const Section& what) {
  if (!node.is_map()) return;
  std::vector<Member> ordered;
  for (const Field& field : what.fields) {
    YamlNode* value = node.find(field.key);
    if (value == nullptr) continue;
    tidy_value(*value, field);
    ordered.push_back({std::string(field.key), value->place, std::move(*value)});
  }
  for (Member& member : node.members)
    if (what.find(member.key) == nullptr) ordered.push_back(std::move(member));
  node.members = std::move(ordered);
}

std::string escaped(const std::string& text) {
  std::string twice;
  for (const char c : text) twice += c == '$' ? "$$" : std::string(1, c);
  return twice;
}

enum class Dollars { doubled, plain };

Json number(const YamlNode& node) {
  if (node.kind == YamlNode::Kind::integer) return node.integer;
  const bool whole = node.real == std::floor(node.real) && std::fabs(node.real) < 9e15;
  return whole ? Json(static_cast<std::int64_t>(node.real)) : Json(node.real);
}

Json json_of(const YamlNode& node, Dollars dollars) {
  switch (node.kind) {
    case YamlNode::Kind::null:
      return nullptr;
    case YamlNode::Kind::boolean:
      return node.truth;
    case YamlNode::Kind::integer:
    case YamlNode::Kind::real:
      return number(node);
    case YamlNode::Kind::text:
      return dollars == Dollars::doubled ? escaped(node.text) : node.text;
    case YamlNode::Kind::list: {
      Json list = Json::array();
      for (const YamlNode& item : node.items) list.push_back(json_of(item, dollars));
      return list;
    }
    case YamlNode::Kind::map:
      break;
  }
  Json map = Json::object();
  for (const Member& member : node.members) map[member.key] = json_of(member.value, dollars);
  return map;
}

// The one control character that JSON leaves as it is.
std::string without_delete(std::string json) {
  for (std::size_t at = 0; (at = json.find('\x7f', at)) != json.npos;)
    json.replace(at, 1, "\\u007f");
  return json;
}

// A quoted text is a JSON string, which YAML reads the same. Plain where nothing can mistake it.
std::string yaml_scalar(const std::string& text) {
  const bool plain =
      !text.empty() && text.size() < 200 && text.front() != '-' && resolved(text, {}).is_text() &&
      std::all_of(
          text.begin(), text.end(),
          [](char c) {
            return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                   c == '_' || c == '/' || c == '.' || c == '-';
          });
  const bool word = text == "yes" || text == "no" || text == "on" || text == "off" || text == "y" ||
                    text == "n" || text == "Yes" || text == "No";
  if (plain && !word && (text.front() < '0' || text.front() > '9')) return text;
  return without_delete(Json(text).dump(-1, ' ', false, Json::error_handler_t::replace));
}

void yaml(const Json& node, int depth, std::string& out);

void yaml_value(const Json& node, int depth, std::string& out) {
  if (node.is_structured() && !node.empty()) {
    out += '\n';
    yaml(node, depth, out);
    return;
  }
  out += ' ' + (node.is_string() ? yaml_scalar(node.get<std::string>()) : node.dump()) + '\n';
}

void yaml(const Json& node, int depth, std::string& out) {
  const std::string indent(static_cast<std::size_t>(depth) * 2, ' ');
  if (node.is_object()) {
    for (const auto& [key, value] : node.items()) {
      out += indent + yaml_scalar(key) + ":";
      yaml_value(value, depth + 1, out);
    }
    return;
  }
  for (const Json& item : node) {
    if (item.is_object() && !item.empty()) {
      std::string block;
      yaml(item, depth + 1, block);
      out += indent + "- " + block.substr(indent.size() + 2);
    } else {
      out += indent + "-";
      yaml_value(item, depth + 1, out);
    }
  }
}

}  // namespace

void tidy(YamlNode& project) { tidy_section(project, project_section()); }

std::string json_text(const YamlNode& project) {
  return without_delete(json_of(project, Dollars::doubled)
                            .dump(2, ' ', false, Json::error_handler_t::replace)) +
         "\n";
}

std::string yaml_text(const YamlNode& project) {
  std::string out;
  yaml(json_of(project, Dollars::doubled), 0, out);
  return out;
}

std::string identity_text(const YamlNode& node) {
  return nlohmann::json(json_of(node, Dollars::plain))
      .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace compose
