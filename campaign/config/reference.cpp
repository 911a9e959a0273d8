#include <map>
#include <set>

#include "campaign/config/fields.hpp"
#include "campaign/config/loader.hpp"

namespace campaign {
namespace {

const std::map<FieldType, const char*> type_names = {
    {FieldType::boolean, "true or false"},
    {FieldType::automatic, "`auto`, true or false"},
    {FieldType::gpus, "selection of GPUs"},
    {FieldType::integer, "integer"},
    {FieldType::number, "number"},
    {FieldType::duration, "duration"},
    {FieldType::size, "size"},
    {FieldType::name, "name"},
    {FieldType::pattern, "pattern"},
    {FieldType::path, "path"},
    {FieldType::paths, "path or list of paths"},
    {FieldType::argv, "command"},
    {FieldType::strings, "text or list of texts"},
    {FieldType::env, "map of scalars"},
    {FieldType::scalar_map, "map of scalars"},
    {FieldType::tmpfs, "list or map"},
    {FieldType::volumes, "list"},
    {FieldType::ulimits, "map of limits"},
    {FieldType::zip, "list of lists"},
    {FieldType::free_map, "map"},
    {FieldType::axes_map, "map of lists"},
    {FieldType::free_map_list, "list of maps"},
    {FieldType::object, "keys below"},
    {FieldType::object_map, "map of keys below"},
    {FieldType::object_list, "list of keys below"},
};

std::string type_name(const Field& field) {
  const auto named = type_names.find(field.type);
  return named == type_names.end() ? "text" : named->second;
}

std::string number(double value) {
  return value < 1e15 && value == static_cast<double>(static_cast<std::int64_t>(value))
             ? std::to_string(static_cast<std::int64_t>(value))
             : Value::real(value).written();
}

std::string type_text(const Field& field) {
  const bool several = field.type == FieldType::choices;
  if (several || field.type == FieldType::choice || field.type == FieldType::only) {
    std::string text;
    for (const std::string& choice : field.choices)
      text += (text.empty() ? "`" : ", `") + choice + "`";
    return text + (several ? ", or a list" : "");
  }
  std::string text = type_name(field);
  const bool ranged = field.type == FieldType::integer || field.type == FieldType::number;
  if (ranged && field.least && field.most && *field.most < 2147483647) {
    text += ", " + number(*field.least) + " to " + number(*field.most);
  }
  return text;
}

std::string cell(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '|') out += '\\';
    out += c;
  }
  return out;
}

void append_row(std::string& page, const Field& field) {
  std::string meaning = field.help;
  if (field.applies == docker_runner) meaning += " (docker)";
  if (field.applies == compose_runner) meaning += " (compose)";
  if (field.applies == container_runner) meaning += " (docker, compose)";
  if (field.applies == local_runner) meaning += " (local)";
  if (field.templated) meaning += "; placeholders";
  const std::string fallback = field.required           ? "required"
                               : field.fallback.empty() ? ""
                                                        : "`" + field.fallback + "`";
  const std::string sample = field.sample.empty() ? "" : "`" + field.sample + "`";
  page += "| `" + field.name + "` | " + type_text(field) + " | " + fallback + " | " +
          cell(meaning) + " | " + cell(sample) + " |\n";
}

class Pages {
 public:
  void add(const Section& section) {
    if (!seen_.insert(&section).second) return;
    page_ += section.title.empty() ? "\n## Top level\n" : "\n## `" + section.title + "`\n";
    if (!section.help.empty()) page_ += "\n" + section.help + "\n";
    page_ += "\n| key | type | default | meaning | example |\n|---|---|---|---|---|\n";
    for (const Field& field : section.fields) {
      const std::string key = (section.title.empty() ? "" : section.title + ".") + field.name;
      if (field.type == FieldType::unsupported) {
        if (field.help.empty()) later_ += "- `" + key + "`\n";
      } else {
        append_row(page_, field);
      }
      for (const std::string& other : field.aliases)
        aliases_ += "- `" + other + "` is `" + key + "`\n";
    }
    for (const Field& field : section.fields) {
      if (field.section) add(*field.section());
    }
  }
  std::string text() const {
    return page_ +
           "\n## Other spellings\n\nAccepted silently, for files of llm-energy-measure.\n\n" +
           aliases_ +
           "\n## Not supported yet\n\nThese keys are known and refused by name, never "
           "ignored.\n\n" +
           later_;
  }

 private:
  std::string page_, aliases_, later_;
  std::set<const Section*> seen_;
};

constexpr const char* introduction = R"(# The campaign file

This page is generated from the table of fields in `campaign/config`; a test keeps it equal.

One YAML document, read by the YAML 1.2 core schema: quoted scalars are texts, `yes` is a text, `0755` is 755, and an
integer beyond 64 bits stays a text. Merge keys (`<<`), anchors and aliases work. Unknown and duplicate keys, wrong
types and values out of range are errors; all of them are reported at once, each as `file:line:column: key: message`.

- **Durations** are seconds or `90s`, `30m`, `1h30m`, `1.5h`, `2d`, `500ms`.
- **Sizes** are bytes or `512m`, `4g`, `10GiB`; always binary.
- **Commands** are a list of words, or one text that is split as a shell splits words (quotes and backslashes). With
  `shell: true` the text goes to `sh -c`.
- **Paths** are relative to the campaign file.
- **Environment**: `${VAR}`, `${VAR:-default}`, `${VAR:?message}`; `$$` is a `$`. Filled in when the file is read, but in
  `env` of a runner when a run is prepared.
- **Placeholders**: `{p.KEY}` a value of the experiment, `{p.KEY?--flag}` the flag and the value where it is set,
  `{vars.NAME}`, and `{config} {results} {metrics} {run_id} {experiment} {campaign} {cycle} {attempt} {gpus} {exchange}`.
  Any other brace is literal, `{{x}}` is `{x}`, and nothing is filled in after a `$`.
- A plain text under a name like `*TOKEN*`, `*KEY*`, `*SECRET*`, `*PASSW*` in `env` is an error; numbers are not.
- `--set KEY=VALUE` puts a value (YAML) at a dotted key, over everything that the file says.
)";

}  // namespace

std::string campaign_reference() {
  Pages pages;
  pages.add(*campaign_section());
  return introduction + pages.text();
}

}  // namespace campaign
