#include "compose/loader/decode_read.hpp"

#include <algorithm>
#include <limits>

#include "compose/loader/units.hpp"

namespace compose {
namespace {

template <class T, class Convert>
void read_as(const YamlNode& map, std::string_view key, T& into, Convert convert) {
  const YamlNode* node = map.find(key);
  if (node != nullptr && !node->is_null()) into = convert(*node);
}

}  // namespace

const YamlNode& member(const YamlNode& map, std::string_view key) {
  static const YamlNode nothing;
  const YamlNode* node = map.find(key);
  return node == nullptr ? nothing : *node;
}

int as_int(std::int64_t value) {
  return static_cast<int>(std::clamp<std::int64_t>(value, std::numeric_limits<int>::min(),
                                                   std::numeric_limits<int>::max()));
}

void read(const YamlNode& map, std::string_view key, std::string& into) {
  read_as(map, key, into, [](const YamlNode& node) { return node.text; });
}
void read(const YamlNode& map, std::string_view key, bool& into) {
  read_as(map, key, into, [](const YamlNode& node) { return node.truth; });
}
void read(const YamlNode& map, std::string_view key, int& into) {
  read_as(map, key, into, [](const YamlNode& node) { return as_int(node.integer); });
}
void read(const YamlNode& map, std::string_view key, std::optional<bool>& into) {
  read_as(map, key, into, [](const YamlNode& node) { return node.truth; });
}
void read(const YamlNode& map, std::string_view key, std::optional<int>& into) {
  read_as(map, key, into, [](const YamlNode& node) { return as_int(node.integer); });
}
void read(const YamlNode& map, std::string_view key, std::optional<std::uint32_t>& into) {
  read_as(map, key, into, [](const YamlNode& node) {
    return static_cast<std::uint32_t>(std::clamp<std::int64_t>(node.integer, 0, 0xffffffff));
  });
}
void read(const YamlNode& map, std::string_view key, std::optional<std::int64_t>& into) {
  read_as(map, key, into, [](const YamlNode& node) { return node.integer; });
}
void read(const YamlNode& map, std::string_view key, std::optional<double>& into) {
  read_as(map, key, into, [](const YamlNode& node) { return node.real; });
}
void read(const YamlNode& map, std::string_view key, Strings& into) {
  read_as(map, key, into, [](const YamlNode& node) {
    Strings texts;
    for (const YamlNode& item : node.items) texts.push_back(item.text);
    return texts;
  });
}
void read(const YamlNode& map, std::string_view key, StringMap& into) {
  read_as(map, key, into, [](const YamlNode& node) {
    StringMap texts;
    for (const Member& entry : node.members)
      if (!entry.value.is_null()) texts[entry.key] = entry.value.text;
    return texts;
  });
}

std::optional<std::int64_t> nanoseconds(const YamlNode& map, std::string_view key) {
  const YamlNode* node = map.find(key);
  return node == nullptr ? std::nullopt : duration_ns(node->text);
}

}  // namespace compose
