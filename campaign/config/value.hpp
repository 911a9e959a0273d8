// A YAML document as the campaign reads it: a tree of typed values that remember where they stand
// and how they were written. Quoted scalars are strings; plain ones follow the YAML 1.2 core
// schema. Maps keep their order.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace campaign {

// Where a value stands. line and column count from 1; 0 means "not from a file" (a --set, a
// default).
struct Origin {
  std::string file;
  int line = 0;
  int column = 0;
  std::string text() const;  // "campaign.yaml:3:7", or the file alone when there is no line
  bool operator==(const Origin&) const = default;
};

class Value {
 public:
  enum class Kind { null, boolean, integer, real, string, list, map };
  using List = std::vector<Value>;
  using Map = std::vector<std::pair<std::string, Value>>;

  Value() = default;
  static Value null();
  static Value boolean(bool b);
  static Value integer(std::int64_t i);
  static Value real(double d);
  static Value string(std::string s);
  static Value list(List items);
  static Value map(Map members);
  // Resolves 1, 1.0, true, null, text by the core schema. An integer beyond 64 bits stays a string
  // (no digit is lost).
  static Value plain_scalar(std::string_view text);

  Kind kind() const { return kind_; }
  bool is_map() const { return kind_ == Kind::map; }
  bool is_list() const { return kind_ == Kind::list; }
  bool is_null() const { return kind_ == Kind::null; }
  bool is_scalar() const { return kind_ != Kind::list && kind_ != Kind::map; }

  // Precondition: the kind matches (as_real also takes an integer).
  bool as_boolean() const;
  std::int64_t as_integer() const;
  double as_real() const;
  const std::string& as_string() const;
  const List& items() const;
  const Map& members() const;
  List& items();
  Map& members();

  // A scalar as it was written (1.0 stays "1.0", 1e3 stays "1e3"); null is "". Spellings that JSON
  // numbers do not have (0x1f, +1, .5, True, 007) are brought to "31", "1", "0.5", "true", "7", so
  // that a document that went through to_json and back prints the same.
  const std::string& written() const { return text_; }
  // A string that stood without quotes: what is filled into it by ${VAR} is resolved anew.
  bool plain() const { return plain_; }

  const Value* find(std::string_view key) const;  // a member of a map, or nullptr
  Value* find(std::string_view key);
  const Value* at_path(
      std::string_view dotted) const;  // "a.b.c"; a whole key that holds dots wins; or nullptr
  void append(std::string key, Value value,
              Origin key_origin);  // a map's new member; the key must not be there yet
  void set_path(std::string_view dotted,
                Value value);  // makes maps on the way; a key that is there wins likewise

  const Origin& origin() const { return origin_; }
  void set_origin(Origin origin) { origin_ = std::move(origin); }
  const Origin& key_origin(std::string_view key) const;  // where a member's key stands
  void set_key_origin(std::string_view key, Origin origin);

  bool operator==(const Value& other)
      const;  // kinds, values and members; neither origins nor order nor spelling

 private:
  Kind kind_ = Kind::null;
  bool boolean_ = false;
  bool plain_ = false;
  std::int64_t integer_ = 0;
  double real_ = 0;
  std::string text_;
  List items_;
  Map members_;
  Origin origin_;
  std::vector<std::pair<std::string, Origin>> key_origins_;
};

// Maps merge deeply, anything else in `over` replaces what is in `base`.
Value merged(Value base, const Value& over);

// Canonical JSON (sorted keys, shortest round-trip numbers, 1 is not 1.0, no blanks): what hashes
// are taken over.
std::string canonical_json(const Value& value);
// JSON with members in their order; compact. Reals always carry a point or an exponent, so that
// reading it back gives the same kinds; numbers keep their spelling. Invalid UTF-8 is replaced by
// U+FFFD; a real that is not finite, which the loader refuses, becomes the string ".inf", "-.inf"
// or ".nan".
std::string to_json(const Value& value);
// Reads JSON text (at most 200 levels deep). Throws std::runtime_error with the byte position.
Value from_json(std::string_view text);
// YAML that PyYAML and yaml-cpp read back to the same kinds and values: every string is
// double-quoted.
std::string to_yaml(const Value& value);

}  // namespace campaign
