// A YAML document as a tree whose every value knows where it stands. Maps keep their order.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "compose/loader/diagnostic.hpp"

namespace compose {

// The name of the file lives in the Sources of the load, which outlive every tree.
struct Place {
  std::string_view file;
  int line = 0;
  int column = 0;
  Origin origin() const { return {std::string(file), line, column}; }
};

struct Member;

struct YamlNode {
  enum class Kind : std::uint8_t { null, boolean, integer, real, text, list, map };
  // The tags of an overriding file: `!reset` takes the key away, `!override` replaces its value
  // where it would be merged.
  enum class Mark : std::uint8_t { none, reset, replace };

  Kind kind = Kind::null;
  Mark mark = Mark::none;
  bool truth = false;
  std::int64_t integer = 0;
  double real = 0;
  // Of a scalar: what it is as text. 0755 is "493", as it is a number in YAML 1.1; null is "".
  std::string text;
  std::vector<YamlNode> items;
  std::vector<Member> members;
  Place place;

  static YamlNode of_text(std::string text, Place place = {});
  static YamlNode of_integer(std::int64_t value, Place place = {});
  static YamlNode of_real(double value, Place place = {});
  static YamlNode of_boolean(bool value, Place place = {});
  static YamlNode of_list(Place place = {});
  static YamlNode of_map(Place place = {});

  bool is_null() const { return kind == Kind::null; }
  bool is_text() const { return kind == Kind::text; }
  bool is_list() const { return kind == Kind::list; }
  bool is_map() const { return kind == Kind::map; }
  bool is_number() const { return kind == Kind::integer || kind == Kind::real; }
  bool is_scalar() const { return !is_list() && !is_map(); }

  const YamlNode* find(std::string_view key) const;  // a member, or nullptr
  YamlNode* find(std::string_view key);
  // A member of a map, made where it is missing. The reference holds until the next one is made.
  YamlNode& at(std::string_view key);
  YamlNode& set(std::string_view key, YamlNode value);  // replaces or appends
  void erase(std::string_view key);
  // A member as text, or "".
  std::string_view word(std::string_view key) const;
};

struct Member {
  std::string key;
  Place place;  // of the key
  YamlNode value;
};

// Equal in kinds and values; neither places nor the order of maps matter.
bool same(const YamlNode& a, const YamlNode& b);

// "a map", "a list", `"text"`, "3": for messages.
std::string spoken(const YamlNode& node);

// The dotted way to a value, made on the stack while a tree is walked.
struct Path {
  const Path* up = nullptr;
  std::string_view key;
  int index = -1;  // of a list's item
  std::string text() const;
};

// What a load finds wrong or odd, and the names that places refer to.
class Findings {
 public:
  void error(const Place& place, const Path& path, std::string message);
  void error(const Place& place, std::string key, std::string message);
  void warn(const Place& place, std::string key, const std::string& message);
  void warn(const std::string& line);
  bool clean() const { return errors_.empty(); }
  // Throws ComposeError with what was found, in the order of the files' lines.
  void raise() const;
  const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  std::vector<Diagnostic> errors_;
  std::vector<std::string> warnings_;
};

}  // namespace compose
