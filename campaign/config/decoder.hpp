// Walks a document along the table of fields and collects every complaint with its place and dotted
// key.
#pragma once

#include "campaign/config/fields.hpp"
#include "campaign/config/loader.hpp"

namespace campaign {

class Decoder {
 public:
  struct Source {
    std::string file;    // the campaign file; absolute
    std::string folder;  // of the campaign file
    bool fresh = true;   // as a person wrote it: globs are expanded, files must be there
    const Value* vars = nullptr;
  };
  explicit Decoder(Source source) : source_(std::move(source)) {}

  // Fills `target` (the struct the section is for): defaults first, then every member of `map`.
  void section(const Section& section, Value& map, void* target);

  void fail(const Value& at, std::string message);
  void fail_key(const Value& map, const std::string& key, std::string message);
  void warn(const Value& at, const std::string& message);

  // A scalar of the kind that the field asks for, in its range; nullopt after a complaint.
  std::optional<bool> boolean(const Value& value);
  std::optional<std::int64_t> integer(const Field& field, const Value& value);
  std::optional<std::uint64_t> unsigned_integer(const Value& value);
  std::optional<double> number(const Field& field, const Value& value);
  std::optional<double> duration(const Field& field, const Value& value);
  std::optional<std::int64_t> size(const Field& field, const Value& value);
  std::optional<std::string> text(const Field& field, const Value& value);
  std::optional<std::size_t> choice(const Field& field, const Value& value);
  std::optional<std::vector<std::string>> argv(const Field& field, const Value& value);
  // A list of texts; one text counts as a list of one.
  std::optional<std::vector<std::string>> strings(const Field& field, const Value& value);
  // A list of files, or one, each made absolute in `value` too. Of a fresh document they are there.
  std::optional<std::vector<std::string>> files(const Field& field, Value& value);
  bool is_map(const Value& value, const char* expected);
  bool is_list(const Value& value, const char* expected);
  void check_template(const Value& at, std::string_view text);
  void check_templates(const Value& tree);
  bool check_name(const Value& at, const std::string& name, std::size_t longest);

  // Against the campaign's folder; what begins with a placeholder is left alone.
  std::string absolute(const std::string& path) const;
  bool fresh() const { return source_.fresh; }
  const std::string& file() const { return source_.file; }
  const Value* map() const { return maps_.empty() ? nullptr : maps_.back(); }  // being decoded

  // Adds a part to the dotted key while it lives.
  class Scope {
   public:
    Scope(Decoder& decoder, std::string part) : decoder_(decoder) {
      decoder_.path_.push_back(std::move(part));
    }
    ~Scope() { decoder_.path_.pop_back(); }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Decoder& decoder_;
  };
  static std::string index(std::size_t i) { return "[" + std::to_string(i) + "]"; }

  std::vector<Diagnostic> take_diagnostics();
  std::vector<std::string> take_warnings() { return std::move(warnings_); }

 private:
  void members(const Section& section, Value& map, void* target);
  void member(const Section& section, Value& map, std::size_t at, void* target);
  bool accepted(const Section& section, const Value& map, std::size_t at, const Field* field);
  std::string unknown_key(const Section& section, const std::string& key) const;
  std::string path() const;

  Source source_;
  std::vector<std::string> path_;
  std::vector<const Value*> maps_;
  std::vector<Diagnostic> diagnostics_;
  std::vector<std::string> warnings_;
  unsigned kind_ = any_runner;
};

// "\"abc\"", "5", "a list", "nothing": what stands there, for a message.
std::string describe(const Value& value);

// "90s", "1h30m", "1.5h", "90"; nullopt when it is none.
std::optional<double> parse_duration(std::string_view text);
// "512m", "4g", "10GiB", "1.5k", "100": binary units; nullopt when it is none.
std::optional<double> parse_size(std::string_view text);

}  // namespace campaign
