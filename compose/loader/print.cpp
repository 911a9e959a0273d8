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

bool means_nothing(const Node& node, const Field& field) {
  if (node.is_null()) return field.form != Form::command;
  if (field.kept) return false;
  switch (node.kind) {
    case Node::Kind::boolean:
      return !node.truth;
    case Node::Kind::integer:
    case Node::Kind::real:
      return node.real == 0;
    case Node::Kind::text:
      return node.text.empty();
    case Node::Kind::list:
      return node.items.empty();
    default:
      return node.members.empty() && field.form != Form::section;
  }
}

void tidy_section(Node& node, const Section& what);

void tidy_value(Node& node, const Field& field) {
  if (is_size(&field)) node = Node::of_text(node.text, node.place);
  if (field.form == Form::section) return tidy_section(node, field.section());
  if (field.form == Form::sections)
    for (Node& item : node.items) tidy_section(item, field.section());
  if (field.form != Form::named) return;
  for (Member& member : node.members) tidy_section(member.value, field.section());
  std::sort(node.members.begin(), node.members.end(),
            [](const Member& a, const Member& b) { return a.key < b.key; });
}

void tidy_section(Node& node, const Section& what) {
  if (!node.is_map()) return;
  std::vector<Member> ordered;
  for (const Field& field : what.fields) {
    Node* value = node.find(field.key);
    if (value == nullptr || means_nothing(*value, field)) continue;
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

Json number(const Node& node) {
  if (node.kind == Node::Kind::integer) return node.integer;
  const bool whole = node.real == std::floor(node.real) && std::fabs(node.real) < 9e15;
  return whole ? Json(static_cast<std::int64_t>(node.real)) : Json(node.real);
}

Json json_of(const Node& node, Dollars dollars) {
  switch (node.kind) {
    case Node::Kind::null:
      return nullptr;
    case Node::Kind::boolean:
      return node.truth;
    case Node::Kind::integer:
    case Node::Kind::real:
      return number(node);
    case Node::Kind::text:
      return dollars == Dollars::doubled ? escaped(node.text) : node.text;
    case Node::Kind::list: {
      Json list = Json::array();
      for (const Node& item : node.items) list.push_back(json_of(item, dollars));
      return list;
    }
    case Node::Kind::map:
      break;
  }
  Json map = Json::object();
  for (const Member& member : node.members) map[member.key] = json_of(member.value, dollars);
  return map;
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
  return Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
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

void tidy(Node& project) { tidy_section(project, project_section()); }

std::string json_text(const Node& project) {
  return json_of(project, Dollars::doubled).dump(2, ' ', false, Json::error_handler_t::replace) +
         "\n";
}

std::string yaml_text(const Node& project) {
  std::string out;
  yaml(json_of(project, Dollars::doubled), 0, out);
  return out;
}

std::string identity_text(const Node& node) {
  return nlohmann::json(json_of(node, Dollars::plain))
      .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace compose
