#include "controller/cli/run_document.hpp"

#include <algorithm>
#include <filesystem>

#include "controller/errors.hpp"
#include "controller/progress/format.hpp"

namespace controller::cli {
namespace {

using campaign::Value;

constexpr std::size_t longest_name = 40;

bool alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

std::string name_of(const std::string& program) {
  std::string name = std::filesystem::path(program).filename().string();
  for (char& c : name)
    if (!alphanumeric(c) && c != '.' && c != '_') c = '-';
  name.erase(0, std::min(name.size(), name.find_first_not_of("._-")));
  if (name.size() > longest_name) name.resize(longest_name);
  return name.empty() ? "run" : name;
}

Value axes_of(const std::vector<std::string>& axes) {
  Value::Map members;
  for (const std::string& axis : axes) {
    const std::size_t at = axis.find('=');
    const std::string key = axis.substr(0, at);
    if (at == std::string::npos || key.empty() || at + 1 == axis.size())
      throw CommandError(ExitCode::usage, "--axis " + axis + ": write NAME=VALUE,VALUE");
    for (const auto& member : members)
      if (member.first == key)
        throw CommandError(ExitCode::usage, "--axis " + key + " is given twice");
    Value::List values;
    for (const std::string& value : text::split(axis.substr(at + 1), ','))
      values.push_back(Value::plain_scalar(value));
    members.emplace_back(key, Value::list(std::move(values)));
  }
  return Value::map(std::move(members));
}

Value strings(const std::vector<std::string>& words) {
  Value::List items;
  for (const std::string& word : words) items.push_back(Value::string(word));
  return Value::list(std::move(items));
}

Value runner_of(const RunArguments& run, const RunPlaces& places) {
  Value::Map runner = {{"type", Value::string(run.image.empty() ? "local" : "docker")}};
  if (!run.image.empty()) runner.emplace_back("image", Value::string(run.image));
  runner.emplace_back("command", strings(run.command));
  if (!run.gpus.empty()) runner.emplace_back("gpus", Value::plain_scalar(run.gpus));
  if (run.image.empty()) runner.emplace_back("workdir", Value::string(places.cwd));
  return Value::map(std::move(runner));
}

}  // namespace

Value run_document(const RunArguments& run, const RunPlaces& places) {
  if (run.command.empty())
    throw CommandError(ExitCode::usage,
                       "run: no command; write it after `--`: campaignctl run -- sleep 0.1");
  if (run.local && !run.image.empty())
    throw CommandError(ExitCode::usage, "run: --local and --image exclude each other");
  const std::string name = name_of(run.command.front());
  Value::Map document = {{"name", Value::string(name)}, {"runner", runner_of(run, places)}};
  if (run.axes.empty())
    document.emplace_back("experiments",
                          Value::list({Value::map({{"name", Value::string(name)}})}));
  else
    document.emplace_back("axes", axes_of(run.axes));
  document.emplace_back("execution", Value::map({{"cycles", Value::integer(run.cycles)}}));
  document.emplace_back("io",
                        Value::map({{"state_dir", Value::string(places.folder + "/state")},
                                    {"results_dir", Value::string(places.folder + "/results")}}));
  return Value::map(std::move(document));
}

}  // namespace controller::cli
