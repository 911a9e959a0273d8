#include "campaign/config/field_texts.hpp"

#include <regex.h>

#include "campaign/config/field_makers.hpp"
#include "campaign/config/secret_names.hpp"

namespace campaign {
namespace {

bool plain_text(const Value& value) {
  return value.kind() == Value::Kind::string && !value.as_string().empty() &&
         value.as_string().find("${") == std::string::npos && value.as_string()[0] != '{';
}

}  // namespace

void decode_env(Decoder& d, Value& value, std::map<std::string, std::string>& into) {
  if (!d.is_map(value, "a map of names to texts")) return;
  for (const auto& [name, text] : value.members()) {
    const Decoder::Scope scope(d, name);
    if (name.find('=') != name.npos) d.fail(text, "a name of the environment has no `=`");
    if (!text.is_scalar() || text.is_null()) {
      d.fail(text, "expected a text, not " + describe(text) + "; \"\" is empty, ${" + name +
                       "} hands it on");
      continue;
    }
    if (plain_text(text) && is_secret(name, text.as_string())) {
      d.fail(text, "looks like a secret in plain text; write ${" + name +
                       "} and set it in the environment (`secrets` is not supported yet)");
    }
    try {
      interpolate(text.written(), [](const std::string&) { return "x"; });
    } catch (const std::runtime_error& e) {
      d.fail(text, e.what());
    }
    d.check_template(text, text.written());
    into[name] = text.written();
  }
}

std::string pattern_problem(const std::string& text) {
  regex_t compiled;
  if (const int code = ::regcomp(&compiled, text.c_str(), REG_EXTENDED | REG_NOSUB)) {
    char why[120];
    ::regerror(code, &compiled, why, sizeof why);
    return std::string("not a POSIX extended regular expression: ") + why;
  }
  ::regfree(&compiled);
  return "";
}

std::optional<std::vector<Strategy>> decode_strategies(Decoder& d, const Field& field,
                                                       const Value& value) {
  std::vector<Strategy> found;
  const Value::List one = {value};
  const Value::List& items = value.is_list() ? value.items() : one;
  for (std::size_t i = 0; i < items.size(); ++i) {
    std::optional<Decoder::Scope> scope;
    if (value.is_list()) scope.emplace(d, Decoder::index(i));
    const auto at = d.choice(field, items[i]);
    if (!at) return std::nullopt;
    const auto strategy = static_cast<Strategy>(*at);
    if (std::find(found.begin(), found.end(), strategy) != found.end()) {
      d.fail(items[i], "stands here twice");
      return std::nullopt;
    }
    found.push_back(strategy);
  }
  if (found.empty()) {
    d.fail(value, "expected `ephemeral`, `persistent` or both");
    return std::nullopt;
  }
  return found;
}

Field strategy_field(Field::Store store) {
  Field field = row({FieldType::choices, "strategy",
                     "`ephemeral`: a fresh container for each run; `persistent`: one is held alive "
                     "for all of a worker's runs; a list of both runs each experiment both ways"},
                    store);
  field.choices = {"ephemeral", "persistent"};
  return std::move(field).like("persistent");
}

}  // namespace campaign
