// One description of a struct's members serves writing and reading: a function `members(visitor,
// struct)` names each member once, and ObjectWriter or ObjectReader visits them. A member that
// equals its type's default is not written
// (`always` writes it anyway), and a member that is absent keeps what the struct began with.
#pragma once

#include <concepts>
#include <map>
#include <optional>
#include <vector>

#include "campaign/state/events.hpp"
#include "campaign/state/json_text.hpp"

namespace campaign::json_text {

inline constexpr std::size_t text_cap = 8192;  // bytes of one text of a record

// Appends `,"key":value` to an object that is open.
class ObjectWriter {
 public:
  explicit ObjectWriter(std::string& out) : out_(out) {}

  template <class T>
  void operator()(const char* key, const T& value) {
    if (value != T{}) always(key, value);
  }
  template <class T>
  void always(const char* key, const T& value) {
    name(key);
    put(value);
  }
  void tail(const char* key, const std::string& value) {
    if (!value.empty()) always(key, clean(value, text_cap, Keep::end));
  }
  void seconds(const char* key, double value);                         // rounded to microseconds
  void words(const char* key, const std::vector<std::string>& value);  // never cut
  // Appends the key; the value is the caller's to append.
  std::string& named(const char* key) {
    name(key);
    return out_;
  }

 private:
  void name(const char* key);
  void put(const std::string& value);
  void put(bool value) { out_ += value ? "true" : "false"; }
  void put(int value) { append_number(out_, static_cast<std::int64_t>(value)); }
  void put(unsigned value) { append_number(out_, static_cast<std::uint64_t>(value)); }
  void put(std::int64_t value) { append_number(out_, value); }
  void put(std::uint64_t value) { append_number(out_, value); }
  void put(double value) { append_number(out_, value); }
  void put(FailureClass value) { append_string(out_, name_of(value)); }
  void put(const Deadline& value);
  void put(const std::vector<std::string>& value);
  void put(const std::map<std::string, double>& value);
  template <class T>
  void put(const std::optional<T>& value) {
    put(*value);
  }

  std::string& out_;
};

// The members of one JSON object, looked up by key; quick when they are asked for in the order in
// which they stand.
class ObjectReader {
 public:
  explicit ObjectReader(std::string_view text);  // throws Error; the text outlives the reader
  template <std::same_as<std::string> Temporary>
  explicit ObjectReader(Temporary&&) = delete;

  template <class T>
  void operator()(const char* key, T& value) {
    if (const std::string_view* raw = find(key)) get(*raw, value);
  }
  template <class T>
  void always(const char* key, T& value) {
    const std::string_view* raw = find(key);
    if (raw == nullptr) throw Error(std::string("\"") + key + "\" is missing");
    get(*raw, value);
  }
  void tail(const char* key, std::string& value) { (*this)(key, value); }
  void seconds(const char* key, double& value) { (*this)(key, value); }
  void words(const char* key, std::vector<std::string>& value) { (*this)(key, value); }
  const std::string_view* find(std::string_view key);  // nullptr: absent

 private:
  static void get(std::string_view raw, std::string& value) { value = Reader(raw).string(); }
  static void get(std::string_view raw, bool& value) { value = Reader(raw).boolean(); }
  static void get(std::string_view raw, int& value);
  static void get(std::string_view raw, unsigned& value);
  static void get(std::string_view raw, std::int64_t& value) { value = Reader(raw).integer(); }
  static void get(std::string_view raw, std::uint64_t& value) {
    value = Reader(raw).unsigned_integer();
  }
  static void get(std::string_view raw, double& value) { value = Reader(raw).number(); }
  static void get(std::string_view raw, FailureClass& value);
  static void get(std::string_view raw, Deadline& value);
  static void get(std::string_view raw, std::vector<std::string>& value);
  static void get(std::string_view raw, std::map<std::string, double>& value);
  template <class T>
  static void get(std::string_view raw, std::optional<T>& value) {
    get(raw, value.emplace());
  }

  std::vector<std::pair<std::string_view, std::string_view>> members_;
  std::size_t next_ = 0;
};

// Of a GapEnd, in what holds it.
template <class V, class T>
void gap_members(V& visit, T& gap) {
  visit("gap", gap.reason);
  visit.seconds("gap_s", gap.seconds);
  visit("celsius", gap.celsius);
}

}  // namespace campaign::json_text
