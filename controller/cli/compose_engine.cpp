#include <signal.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <charconv>

#include "campaign/config/loader.hpp"
#include "container/docker_engine.hpp"
#include "controller/cli/compose.hpp"
#include "controller/errors.hpp"
#include "controller/run_sync.hpp"

namespace controller::cli {
namespace {

volatile sig_atomic_t signal_seen = 0;

}  // namespace

ComposeTarget compose_target(const Arguments& arguments, Console& console) {
  const ComposeArguments& from = arguments.compose;
  if (!from.project_name.empty() && from.files.empty()) return {.project = from.project_name};
  compose::LoadRequest request = compose_request(arguments);
  request.services.clear();
  compose::Loaded loaded = load_compose(request, arguments, console);
  std::string name = loaded.project.name;
  return {.project = std::move(name), .file = std::move(loaded.project)};
}

std::vector<std::string> service_names(const compose::Project& project) {
  std::vector<std::string> names = project.unnamed_services;
  for (const auto& [name, service] : project.services) names.push_back(name);
  for (const auto& [name, profiles] : project.disabled_services) names.push_back(name);
  std::sort(names.begin(), names.end());
  return names;
}

double seconds_option(const std::string& text, const char* option, double missing) {
  if (text.empty()) return missing;
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !(value >= 0 && value < 1e8))
    throw CommandError(ExitCode::usage, std::string(option) + " " + text + ": write seconds");
  return value;
}

void with_engine(const EngineWork& work) {
  boost::asio::io_context io;
  std::vector<std::string> tried;
  const auto endpoint =
      container::find_endpoint({.environment = campaign::process_environment()}, &tried);
  if (!endpoint)
    throw CommandError(ExitCode::environment,
                       "no container engine was found; `campaignctl doctor` says what was tried");
  const auto engine = container::make_docker_engine(io, {.endpoint = *endpoint});
  run_until_done(io, work(*engine), nullptr);
}

std::function<bool()> watch_signals() {
  struct sigaction action{};
  action.sa_handler = [](int signal) { signal_seen = signal; };
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  for (int signal : {SIGINT, SIGTERM, SIGHUP}) sigaction(signal, &action, nullptr);
  return [] { return signal_seen != 0; };
}

}  // namespace controller::cli
