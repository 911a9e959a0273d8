#include "compose/loader/node.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

namespace compose {
namespace {

YamlNode scalar(YamlNode::Kind kind, std::string text, Place place) {
  YamlNode node;
  node.kind = kind;
  node.text = std::move(text);
  node.place = place;
  return node;
}

}  // namespace

YamlNode YamlNode::of_text(std::string text, Place place) {
  return scalar(Kind::text, std::move(text), place);
}

YamlNode YamlNode::of_integer(std::int64_t value, Place place) {
  YamlNode node = scalar(Kind::integer, std::to_string(value), place);
  node.integer = value;
  node.real = static_cast<double>(value);
  return node;
}

YamlNode YamlNode::of_real(double value, Place place) {
  YamlNode node = scalar(Kind::real, "", place);
  node.real = value;
  return node;
}

YamlNode YamlNode::of_boolean(bool value, Place place) {
  YamlNode node = scalar(Kind::boolean, value ? "true" : "false", place);
  node.truth = value;
  return node;
}

YamlNode YamlNode::of_list(Place place) { return scalar(Kind::list, "", place); }
YamlNode YamlNode::of_map(Place place) { return scalar(Kind::map, "", place); }

const YamlNode* YamlNode::find(std::string_view key) const {
  for (const Member& member : members)
    if (member.key == key) return &member.value;
  return nullptr;
}

YamlNode* YamlNode::find(std::string_view key) {
  return const_cast<YamlNode*>(static_cast<const YamlNode*>(this)->find(key));
}

YamlNode& YamlNode::at(std::string_view key) {
  if (YamlNode* there = find(key)) return *there;
  members.push_back({std::string(key), place, {}});
  members.back().value.place = place;
  return members.back().value;
}

YamlNode& YamlNode::set(std::string_view key, YamlNode value) { return at(key) = std::move(value); }

void YamlNode::erase(std::string_view key) {
  std::erase_if(members, [&](const Member& member) { return member.key == key; });
}

std::string_view YamlNode::word(std::string_view key) const {
  const YamlNode* there = find(key);
  return there == nullptr ? std::string_view{} : std::string_view{there->text};
}

bool same(const YamlNode& a, const YamlNode& b) {
  if (a.kind != b.kind || a.items.size() != b.items.size() || a.members.size() != b.members.size())
    return false;
  if (a.is_scalar()) return a.kind == YamlNode::Kind::real ? a.real == b.real : a.text == b.text;
  if (!std::equal(a.items.begin(), a.items.end(), b.items.begin(), same)) return false;
  return std::all_of(a.members.begin(), a.members.end(), [&](const Member& member) {
    const YamlNode* other = b.find(member.key);
    return other != nullptr && same(member.value, *other);
  });
}

std::string spoken(const YamlNode& node) {
  switch (node.kind) {
    case YamlNode::Kind::null:
      return "nothing";
    case YamlNode::Kind::list:
      return "a list";
    case YamlNode::Kind::map:
      return "a map";
    case YamlNode::Kind::text:
      return "\"" + (node.text.size() > 60 ? node.text.substr(0, 57) + "..." : node.text) + "\"";
    default:
      return node.text;
  }
}

std::string Path::text() const {
  std::string before = up == nullptr ? "" : up->text();
  if (index >= 0) return before + "[" + std::to_string(index) + "]";
  if (key.empty()) return before;
  return before + (before.empty() ? "" : ".") + std::string(key);
}

void Findings::error(const Place& place, const Path& path, std::string message) {
  error(place, path.text(), std::move(message));
}

void Findings::error(const Place& place, std::string key, std::string message) {
  errors_.push_back({place.origin(), std::move(key), std::move(message)});
}

void Findings::warn(const Place& place, std::string key, const std::string& message) {
  warn(Diagnostic{place.origin(), std::move(key), message}.text());
}

void Findings::warn(const std::string& line) {
  if (std::find(warnings_.begin(), warnings_.end(), line) == warnings_.end())
    warnings_.push_back(line);
}

void Findings::raise() const {
  if (clean()) return;
  std::vector<Diagnostic> sorted = errors_;
  std::map<std::string, int> files;  // in the order in which they were met
  for (const Diagnostic& error : errors_)
    files.emplace(error.origin.file, static_cast<int>(files.size()));
  const auto rank = [&](const Diagnostic& error) {
    return std::tuple(files.at(error.origin.file), error.origin.line, error.origin.column,
                      std::string_view(error.key), std::string_view(error.message));
  };
  std::sort(sorted.begin(), sorted.end(),
            [&](const Diagnostic& a, const Diagnostic& b) { return rank(a) < rank(b); });
  // What stands behind an anchor is met under the key of every alias.
  std::set<std::tuple<int, int, int, std::string_view, std::string_view>> told;
  std::vector<Diagnostic> once;
  for (const Diagnostic& error : sorted) {
    auto [file, line, column, key, message] = rank(error);
    if (line != 0) key = {};
    if (told.emplace(file, line, column, key, message).second) once.push_back(error);
  }
  throw ComposeError(std::move(once));
}

}  // namespace compose
