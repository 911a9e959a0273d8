#include "controller/runners/payload.hpp"

#include <fstream>

#include "campaign/config/placeholders.hpp"
#include "controller/gpu/grant.hpp"
#include "controller/runners/runner.hpp"

namespace controller {

namespace {

using Strings = std::vector<std::string>;

std::string compact(double seconds) {
  std::string text = std::to_string(seconds);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text;
}

campaign::Placeholders placeholders(const PayloadContext& context, const Attempt& attempt,
                                    const PayloadView& view) {
  campaign::Placeholders with;
  with.parameters = &attempt.experiment->config;
  with.vars = &context.campaign->vars;
  with.names = {{"config", view.config},
                {"results", view.results},
                {"metrics", view.results + "/metrics.jsonl"},
                {"exchange", attempt.paths.exchange.string()},
                {"run_id", attempt.run},
                {"experiment", attempt.experiment->name},
                {"campaign", context.campaign->id},
                {"cycle", std::to_string(attempt.planned.cycle)},
                {"attempt", std::to_string(attempt.number)},
                {"gpus", gpu::joined_uuids(attempt.devices)}};
  return with;
}

std::map<std::string, std::string> campaign_variables(const PayloadContext& context,
                                                      const Attempt& attempt,
                                                      const PayloadView& view) {
  const campaign::Execution& execution = context.campaign->execution;
  std::map<std::string, std::string> env{
      {"CAMPAIGN_CONFIG", view.config},
      {"CAMPAIGN_RESULTS_DIR", view.results},
      {"CAMPAIGN_METRICS_FILE", view.results + "/metrics.jsonl"},
      {"CAMPAIGN_ID", context.campaign->id},
      {"CAMPAIGN_NAME", context.campaign->name},
      {"CAMPAIGN_SESSION", context.manifest->session},
      {"CAMPAIGN_RUN_ID", attempt.run},
      {"CAMPAIGN_EXPERIMENT", attempt.experiment->name},
      {"CAMPAIGN_CYCLE", std::to_string(attempt.planned.cycle)},
      {"CAMPAIGN_TOTAL_CYCLES", std::to_string(execution.cycles)},
      {"CAMPAIGN_ATTEMPT", std::to_string(attempt.number)},
      {"CAMPAIGN_PHASE", attempt.pilot ? "pilot" : "measure"},
      {"CAMPAIGN_WARMUP_PROMPTS", attempt.cold ? "0" : std::to_string(execution.warmup_prompts)}};
  if (execution.warmup_timeout_seconds)
    env["CAMPAIGN_WARMUP_TIMEOUT"] = compact(*execution.warmup_timeout_seconds);
  return env;
}

// The names that the main seed's programs look for.
void add_lem_variables(std::map<std::string, std::string>& env) {
  env["LEM_CAMPAIGN_ID"] = env["CAMPAIGN_ID"];
  env["LEM_CAMPAIGN_NAME"] = env["CAMPAIGN_NAME"];
  env["LEM_CYCLE"] = env["CAMPAIGN_CYCLE"];
  env["LEM_TOTAL_CYCLES"] = env["CAMPAIGN_TOTAL_CYCLES"];
  env["LLM_ENERGY_RESULTS_DIR"] = env["CAMPAIGN_RESULTS_DIR"];
}

void read_env_file(const std::string& path, std::map<std::string, std::string>& env) {
  std::ifstream file(path);
  if (!file)
    throw PrepareError(campaign::FailureClass::config, "env_file " + path + " cannot be read");
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    if (line.empty() || line[0] == '#') continue;
    const auto equals = line.find('=');
    if (equals == std::string::npos || equals == 0)
      throw PrepareError(campaign::FailureClass::config,
                         path + ":" + std::to_string(number) + ": expected NAME=value");
    env[line.substr(0, equals)] = line.substr(equals + 1);
  }
}

Strings shell_or_argv(const campaign::Runner& runner, Strings argv) {
  if (!runner.shell || argv.empty()) return argv;
  std::string script = argv.front();
  for (std::size_t i = 1; i < argv.size(); ++i) script += " " + argv[i];
  return {"/bin/sh", "-c", script};
}

const compose::Service& compose_service(const PayloadContext& context, const std::string& name) {
  const auto found = context.project->services.find(name);
  if (found != context.project->services.end()) return found->second;
  throw PrepareError(campaign::FailureClass::config, "the compose file has no service " + name);
}

// What a service says, before what a runner or a server says itself.
void begin_with(const compose::Service& service, Payload& payload) {
  payload.image = service.image;
  payload.workdir = service.working_dir;
  payload.own_user = service.user;
  payload.entrypoint_set = service.entrypoint.has_value();
  payload.entrypoint = service.entrypoint.value_or(Strings{});
  payload.command = service.command.value_or(Strings{});
  payload.env = service.environment;
}

// The kernel takes at most 128 KiB per string (MAX_ARG_STRLEN) and about 2 MiB in all; beyond, an
// exec fails in ways that look like a failure of the payload.
void check_size(const Payload& payload) {
  constexpr std::size_t longest = 131071, most = 1900000;
  std::size_t total = 0;
  const auto check = [&](const std::string& text, const std::string& what) {
    total += text.size() + 1;
    if (text.size() + 1 > longest)
      throw PrepareError(campaign::FailureClass::config,
                         what + " is longer than 131070 bytes: hand it over in a file");
  };
  for (const auto& argument : payload.command) check(argument, "an argument of the command");
  for (const auto& [name, value] : payload.env) check(name + "=" + value, "env." + name);
  if (total > most)
    throw PrepareError(campaign::FailureClass::config,
                       "command and environment are larger than 1.9 MB together");
}

}  // namespace

PayloadView container_view(const Attempt& attempt) {
  return {"/campaign/config.yaml", "/campaign/results", "/campaign/home",
          attempt.paths.exchange.string()};
}

PayloadView host_view(const Attempt& attempt) {
  return {(attempt.paths.ctl / "config.yaml").string(), attempt.paths.results.string(),
          attempt.paths.home.string(), attempt.paths.exchange.string()};
}

PayloadView shared_view(const Attempt& attempt) {
  const std::string name = attempt.name();
  return {"/campaign/config/" + name + "/config.yaml",
          (attempt.pilot ? "/campaign/pilot/" : "/campaign/runs/") + name,
          "/campaign/home/" + attempt.paths.home.filename().string(),
          attempt.paths.exchange.string()};
}

PayloadView warmup_view(const Attempt& attempt) {
  PayloadView view = shared_view(attempt);
  view.results = "/campaign/warmup/" + attempt.name();
  return view;
}

namespace {

// A mistake in a template or a variable that is not set is one of the campaign file.
template <class Resolve>
auto as_config_error(const Resolve& resolve) {
  try {
    return resolve();
  } catch (const PrepareError&) {
    throw;
  } catch (const std::exception& error) {
    throw PrepareError(campaign::FailureClass::config, error.what());
  }
}

}  // namespace

std::string server_service(const campaign::Runner& runner) {
  if (runner.type != campaign::RunnerType::compose || !runner.server->image.empty()) return "";
  return runner.server->service.empty() ? runner.service : runner.server->service;
}

Payload resolve_warmup(const PayloadContext& context, const Attempt& attempt,
                       const PayloadView& view) {
  Payload payload = resolve_payload(context, attempt, view);
  const campaign::Placeholders with = placeholders(context, attempt, view);
  payload.command =
      as_config_error([&] { return campaign::expand_argv(attempt.runner->warmup_command, with); });
  payload.env["CAMPAIGN_PHASE"] = "warmup";
  return payload;
}

ServerPayload resolve_server(const PayloadContext& context, const Attempt& attempt,
                             const PayloadView& view) {
  const campaign::Server& server = *attempt.runner->server;
  const campaign::Placeholders with = placeholders(context, attempt, view);
  return as_config_error([&] {
    ServerPayload made{.payload = resolve_payload(context, attempt, view),
                       .ports = server.ports,
                       .ready = server.ready};
    Payload& payload = made.payload;
    const std::string image = payload.image;
    const std::vector<campaign::Volume> volumes = std::move(payload.volumes);
    payload = {.image = image, .volumes = volumes};
    if (const std::string service = server_service(*attempt.runner); !service.empty())
      begin_with(compose_service(context, service), payload);
    if (!server.command.empty()) payload.command = campaign::expand_argv(server.command, with);
    if (!server.image.empty()) payload.image = campaign::expand(server.image, with);
    for (auto& [name, value] : campaign_variables(context, attempt, view))
      payload.env[name] = value;
    payload.env.erase("CAMPAIGN_RESULTS_DIR");
    payload.env.erase("CAMPAIGN_METRICS_FILE");
    for (const auto& [name, value] : server.env)
      payload.env[name] = campaign::interpolate(campaign::expand(value, with), context.environment);
    if (made.ready) {
      for (std::string* text : {&made.ready->http, &made.ready->tcp})
        *text = campaign::expand(*text, with);
      made.ready->exec = campaign::expand_argv(made.ready->exec, with);
    }
    return made;
  });
}

Payload resolve_payload(const PayloadContext& context, const Attempt& attempt,
                        const PayloadView& view) {
  const campaign::Runner& runner = *attempt.runner;
  const campaign::Placeholders with = placeholders(context, attempt, view);
  return as_config_error([&] {
    Payload payload;
    if (runner.type == campaign::RunnerType::compose)
      begin_with(compose_service(context, runner.service), payload);
    if (!runner.command.empty() || runner.entrypoint)
      payload.command = shell_or_argv(runner, campaign::expand_argv(runner.command, with));
    payload.launch = campaign::expand_argv(runner.launch, with);
    if (runner.entrypoint) {
      payload.entrypoint_set = true;
      payload.entrypoint = campaign::expand_argv(*runner.entrypoint, with);
    }
    if (!runner.image.empty()) payload.image = campaign::expand(runner.image, with);
    if (!runner.workdir.empty()) payload.workdir = campaign::expand(runner.workdir, with);
    for (const campaign::Volume& volume : runner.volumes)
      payload.volumes.push_back({campaign::expand(volume.source, with),
                                 campaign::expand(volume.target, with), volume.read_only});
    for (const std::string& file : runner.env_file) read_env_file(file, payload.env);
    for (const auto& [name, value] : runner.env)
      payload.env[name] = campaign::interpolate(campaign::expand(value, with), context.environment);
    for (auto& [name, value] : campaign_variables(context, attempt, view))
      payload.env[name] = value;
    if (runner.env_compat_lem) add_lem_variables(payload.env);
    check_size(payload);
    return payload;
  });
}

}  // namespace controller
