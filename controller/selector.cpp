#include "controller/selector.hpp"

#include <fnmatch.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <sstream>

#include "controller/errors.hpp"

namespace controller {
namespace {

[[noreturn]] void refuse(const std::string& term, const std::string& why) {
  throw CommandError(ExitCode::usage, "selector term `" + term + "`: " + why);
}

bool is_phase(const std::string& word) {
  for (int i = 0; i <= static_cast<int>(campaign::RunPhase::skipped); ++i)
    if (word == campaign::name_of(static_cast<campaign::RunPhase>(i))) return true;
  return false;
}

std::optional<int> number(const std::string& word) {
  int value = 0;
  const auto end = std::from_chars(word.data(), word.data() + word.size(), value);
  if (end.ec != std::errc() || end.ptr != word.data() + word.size()) return std::nullopt;
  return value;
}

void check(const std::string& term, const std::string& key, const std::string& value) {
  if (key.empty()) refuse(term, "nothing before `=`; write axis=value, cycle=2 or state=failed");
  if (value.empty()) refuse(term, "nothing after `=`");
  if (key == "cycle" && number(value).value_or(0) < 1)
    refuse(term, "a cycle is a number, counted from 1");
  if (key == "state" && !is_phase(value))
    refuse(term,
           "no such state; pending, initialised, running, completed, aggregated, failed, "
           "interrupted or skipped");
  if (key == "class" && !campaign::failure_class(value))
    refuse(term, "no such class of failure, see docs/commands.md");
}

bool glob(const std::string& pattern, const std::string& text) {
  return fnmatch(pattern.c_str(), text.c_str(), 0) == 0;
}

bool axis_matches(const campaign::Experiment& experiment, const std::string& key,
                  const std::string& value) {
  if (key == "backend") return glob(value, experiment.backend);
  const campaign::Value* found = experiment.axes.is_map() ? experiment.axes.find(key) : nullptr;
  if (found == nullptr) found = experiment.config.at_path(key);
  return found != nullptr && found->is_scalar() && glob(value, found->written());
}

}  // namespace

Selector Selector::parse(const std::string& text) {
  Selector selector;
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    const std::size_t at = word.find('=');
    if (at == std::string::npos) {
      selector.terms_.push_back({.key = "", .value = word});
      continue;
    }
    const std::string key = word.substr(0, at);
    const std::string value = word.substr(at + 1);
    check(word, key, value);
    selector.terms_.push_back({.key = key, .value = value});
  }
  return selector;
}

bool Selector::matches(const Subject& subject) const {
  const campaign::Experiment& experiment = subject.plan->experiments.at(subject.run->experiment);
  const campaign::RunState pending;
  const campaign::RunState& state = subject.state == nullptr ? pending : *subject.state;
  return std::all_of(terms_.begin(), terms_.end(), [&](const Term& term) {
    if (term.key.empty()) return glob(term.value, campaign::run_id(experiment, subject.run->cycle));
    if (term.key == "cycle") return subject.run->cycle == number(term.value);
    if (term.key == "state") return term.value == campaign::name_of(state.phase);
    if (term.key == "class") return term.value == campaign::name_of(state.cls);
    if (term.key == "experiment") return glob(term.value, experiment.name);
    return axis_matches(experiment, term.key, term.value);
  });
}

}  // namespace controller
