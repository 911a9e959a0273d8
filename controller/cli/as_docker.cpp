#include "controller/cli/as_docker.hpp"

#include "campaign/config/placeholders.hpp"
#include "controller/progress/format.hpp"

namespace controller::cli {
namespace {

using text::shell_quoted;

constexpr char config_path[] = "/campaign/config.yaml";
constexpr char results_path[] = "/campaign/results";

// A value with ${VAR} in it is filled in by the shell, as campaignctl fills it in from the
// environment.
std::string quoted_value(const std::string& value) {
  if (value.find('$') == std::string::npos) return shell_quoted(value);
  std::string text = "\"";
  for (char c : value) {
    if (c == '"' || c == '\\' || c == '`') text += '\\';
    text += c;
  }
  return text + "\"";
}

// What the templates of one experiment become.
class Filled {
 public:
  Filled(const campaign::Campaign& campaign, const campaign::Experiment& experiment, bool local) {
    with_.parameters = &experiment.config;
    with_.vars = &campaign.vars;
    with_.names = {
        {"config", local ? experiment.name + ".yaml" : config_path},
        {"results", local ? experiment.name : results_path},
        {"metrics", (local ? experiment.name : results_path) + std::string("/metrics.jsonl")},
        {"run_id", campaign::run_id(experiment, 1)},
        {"experiment", experiment.name},
        {"campaign", campaign.id},
        {"cycle", "1"},
        {"attempt", "1"},
        {"gpus", ""},
        {"exchange", local ? "." : "/campaign"}};
  }
  std::string one(const std::string& text) const { return campaign::expand(text, with_); }
  campaign::Argv all(const campaign::Argv& argv) const {
    return campaign::expand_argv(argv, with_);
  }

 private:
  campaign::Placeholders with_;
};

// Options, two words each, in the order of `docker run --help` groups.
class Options {
 public:
  void flag(const std::string& name, bool wanted) {
    if (wanted) words_.push_back(name);
  }
  void value(const std::string& name, const std::string& value) {
    if (!value.empty()) words_.push_back(name + " " + shell_quoted(value));
  }
  template <class T>
  void number(const std::string& name, const std::optional<T>& value) {
    if (value) words_.push_back(name + " " + std::to_string(*value));
  }
  void each(const std::string& name, const std::vector<std::string>& values) {
    for (const std::string& one : values) value(name, one);
  }
  std::string text() const { return text::joined(words_, " \\\n  "); }
  void add(const std::string& word) { words_.push_back(word); }

 private:
  std::vector<std::string> words_;
};

void add_limits(Options& options, const campaign::Runner& runner) {
  options.number("--memory", runner.memory);
  options.number("--pids-limit", runner.pids_limit);
  options.number("--shm-size", runner.shm_size);
  if (runner.cpus) options.value("--cpus", text::fixed(*runner.cpus, 3));
  options.value("--cpuset-cpus", runner.cpuset_cpus);
  for (const campaign::Ulimit& limit : runner.ulimits)
    options.value("--ulimit",
                  limit.name + "=" + std::to_string(limit.soft) + ":" + std::to_string(limit.hard));
}

bool asks_for_gpus(const campaign::Runner& runner) {
  return runner.gpus && runner.gpus->kind != campaign::GpuWish::Kind::none;
}

// docker run takes a list of devices as CSV, so its commas stand in quotes. Which ones a count
// comes to is the engine's choice here.
void add_gpus(Options& options, const campaign::Runner& runner) {
  using Kind = campaign::GpuWish::Kind;
  if (!asks_for_gpus(runner)) return;
  const std::optional<campaign::GpuWish>& wish = runner.gpus;
  if (wish->kind == Kind::all) options.add("--gpus all");
  if (wish->kind == Kind::count) options.add("--gpus " + std::to_string(wish->count));
  if (wish->kind == Kind::ids)
    options.value("--gpus", "\"device=" + text::joined(wish->ids, ",") + "\"");
  if (!runner.shm_size && runner.ipc.empty()) options.add("--shm-size 8g");
}

void add_security(Options& options, const campaign::Runner& runner) {
  options.each("--cap-add", runner.cap_add);
  options.each("--cap-drop", runner.cap_drop);
  options.each("--security-opt", runner.security_opt);
  options.flag("--read-only", runner.read_only);
  options.flag("--privileged", runner.privileged);
}

void add_volumes(Options& options, const campaign::Runner& runner, const Filled& filled) {
  for (const campaign::Volume& volume : runner.volumes)
    options.value("-v", filled.one(volume.source) + ":" + filled.one(volume.target) +
                            (volume.read_only ? ":ro" : ""));
  for (const auto& [target, how] : runner.tmpfs)
    options.value("--tmpfs", target + (how.empty() ? "" : ":" + how));
}

campaign::Argv command_of(const campaign::Runner& runner, const Filled& filled) {
  campaign::Argv command = filled.all(runner.command);
  if (runner.shell) command = {"sh", "-c", text::joined(command, " ")};
  return command;
}

std::string quoted(const campaign::Argv& argv) {
  std::vector<std::string> words;
  for (const std::string& word : argv) words.push_back(shell_quoted(word));
  return text::joined(words, " ");
}

void add_user(Options& options, const campaign::Runner& runner) {
  if (runner.user == "host")
    options.add("--user \"$(id -u):$(id -g)\"");
  else if (runner.user != "image")
    options.value("--user", runner.user);
}

// What a container is made with, whatever runs in it.
Options container_options(const campaign::Runner& runner, const Filled& filled) {
  Options options;
  options.flag("--init", runner.init);
  add_user(options, runner);
  options.value("--network", runner.server ? filled.one("{experiment}") : runner.network);
  options.value("--ipc", runner.ipc);
  add_limits(options, runner);
  add_security(options, runner);
  add_volumes(options, runner, filled);
  return options;
}

// Where a run's own files are.
void add_place(Options& options, const campaign::Runner& runner, const Filled& filled) {
  options.value("-w", filled.one(runner.workdir));
  options.value("-e", std::string("CAMPAIGN_CONFIG=") + config_path);
  options.value("-e", std::string("CAMPAIGN_RESULTS_DIR=") + results_path);
  options.value("-e", std::string("CAMPAIGN_METRICS_FILE=") + results_path + "/metrics.jsonl");
}

void add_env(Options& options, const campaign::Runner& runner, const Filled& filled) {
  for (const auto& [name, value] : runner.env)
    options.add("-e " + quoted_value(name + "=" + filled.one(value)));
}

void add_run(Options& options, const campaign::Runner& runner, const Filled& filled) {
  add_place(options, runner, filled);
  options.each("--env-file", runner.env_file);
  add_env(options, runner, filled);
}

void add_folders(Options& options, const std::string& name) {
  options.add("-v \"$PWD\"/" + name + ".yaml:" + config_path + ":ro");
  options.add("-v \"$PWD\"/" + name + ":" + results_path);
}

// The entrypoint's first word is an option, the others stand before the command.
campaign::Argv with_entrypoint(Options& options, const campaign::Runner& runner,
                               const Filled& filled) {
  campaign::Argv command = command_of(runner, filled);
  if (!runner.entrypoint) return command;
  const campaign::Argv entrypoint = filled.all(*runner.entrypoint);
  options.add("--entrypoint " + (entrypoint.empty() ? "''" : shell_quoted(entrypoint.front())));
  if (entrypoint.size() > 1)
    command.insert(command.begin(), entrypoint.begin() + 1, entrypoint.end());
  return command;
}

std::string image_and(const std::string& image, const campaign::Argv& command) {
  const std::string words = quoted(command);
  return shell_quoted(image) + (words.empty() ? "" : " " + words);
}

std::string server_commands(const campaign::Runner& runner, const std::string& name,
                            const Filled& filled) {
  const campaign::Server& server = *runner.server;
  Options options = container_options(runner, filled);
  add_gpus(options, runner);
  options.add("--network-alias server");
  options.each("-p", server.ports);
  for (const auto& [key, value] : server.env)
    options.add("-e " + quoted_value(key + "=" + filled.one(value)));
  options.add(image_and(filled.one(server.image.empty() ? runner.image : server.image),
                        filled.all(server.command)));
  return "docker network create " + name + "\ndocker run -d --name " + name + "-server \\\n  " +
         options.text() + "\n";
}

std::string ephemeral_command(const campaign::Runner& runner, const std::string& name,
                              const Filled& filled) {
  Options options = container_options(runner, filled);
  if (!runner.server) add_gpus(options, runner);
  add_folders(options, name);
  add_run(options, runner, filled);
  const campaign::Argv command = with_entrypoint(options, runner, filled);
  options.add(image_and(filled.one(runner.image), command));
  return "mkdir -p " + name + " && docker run --rm \\\n  " + options.text() + "\n";
}

std::string persistent_commands(const campaign::Runner& runner, const std::string& name,
                                const Filled& filled) {
  Options made = container_options(runner, filled);
  if (!runner.server) add_gpus(made, runner);
  add_folders(made, name);
  made.add("--entrypoint sleep");
  made.add(shell_quoted(filled.one(runner.image)) + " infinity");
  std::string text =
      "mkdir -p " + name + " && docker run -d --name " + name + " \\\n  " + made.text() + "\n";
  Options exec;
  add_run(exec, runner, filled);
  const std::string options = exec.text();
  const auto in_it = [&](const campaign::Argv& command) {
    return "docker exec \\\n  " + options + " \\\n  " + name + " " + quoted(command) + "\n";
  };
  if (!runner.warmup_command.empty()) text += in_it(filled.all(runner.warmup_command));
  campaign::Argv command = runner.entrypoint ? filled.all(*runner.entrypoint) : campaign::Argv{};
  const campaign::Argv own = command_of(runner, filled);
  command.insert(command.end(), own.begin(), own.end());
  return text + in_it(command) + "docker rm -f " + name + "\n";
}

std::string docker_command(const campaign::Runner& runner, const campaign::Experiment& experiment,
                           const Filled& filled) {
  const std::string& name = experiment.name;
  std::string run = runner.persistent() ? persistent_commands(runner, name, filled)
                                        : ephemeral_command(runner, name, filled);
  if (!runner.server) return run;
  return server_commands(runner, name, filled) + run + "docker rm -f " + name +
         "-server\ndocker network rm " + name + "\n";
}

std::string docker_compose(const campaign::Campaign& campaign) {
  std::string text = "docker compose";
  for (const std::string& file : campaign.container.compose_files)
    text += " -f " + shell_quoted(file);
  return text;
}

// What docker compose cannot be told of on its command line.
std::string beside_compose(const campaign::Runner& runner) {
  std::string beside;
  if (runner.server)
    beside += "# with a server beside it, which docker compose cannot be told of here\n";
  if (asks_for_gpus(runner))
    beside += "# with GPUs as the runner says: docker compose gives those that the file reserves\n";
  return beside;
}

// A run as a one-off of its service. docker compose has no options for limits and mounts in memory,
// and no host `server`.
std::string compose_command(const campaign::Campaign& campaign, const campaign::Runner& runner,
                            const std::string& name, const Filled& filled) {
  Options options;
  add_user(options, runner);
  options.each("--cap-add", runner.cap_add);
  options.each("--cap-drop", runner.cap_drop);
  for (const campaign::Volume& volume : runner.volumes)
    options.value("-v", filled.one(volume.source) + ":" + filled.one(volume.target) +
                            (volume.read_only ? ":ro" : ""));
  add_folders(options, name);
  add_run(options, runner, filled);
  const campaign::Argv command = with_entrypoint(options, runner, filled);
  options.add(image_and(runner.service, command));
  return beside_compose(runner) + "mkdir -p " + name + " && " + docker_compose(campaign) +
         " run --rm -T \\\n  " + options.text() + "\n";
}

// What an exec in a service cannot be given, and a one-off could.
std::string beside_exec(const campaign::Runner& runner) {
  std::string beside = "# " + runner.service +
                       " must stay up by its own command here; campaignctl holds it alive without "
                       "it\n";
  if (!runner.volumes.empty() || !runner.cap_add.empty() || !runner.cap_drop.empty())
    beside +=
        "# with the runner's volumes and capabilities, which must stand in the compose file\n";
  for (const std::string& file : runner.env_file)
    beside += "# with the variables of " + file + ", which docker compose exec cannot read\n";
  return beside;
}

// The run's files are copied, as a service that is up takes no more mounts.
std::string held_compose_commands(const campaign::Campaign& campaign,
                                  const campaign::Runner& runner, const std::string& name,
                                  const Filled& filled) {
  const std::string compose = docker_compose(campaign), service = shell_quoted(runner.service);
  Options options;
  add_user(options, runner);
  add_place(options, runner, filled);
  add_env(options, runner, filled);
  const auto in_it = [&](const campaign::Argv& command) {
    return compose + " exec -T \\\n  " + options.text() + " \\\n  " + service + " " +
           quoted(command) + "\n";
  };
  campaign::Argv command = runner.entrypoint ? filled.all(*runner.entrypoint) : campaign::Argv{};
  const campaign::Argv own = command_of(runner, filled);
  command.insert(command.end(), own.begin(), own.end());
  std::string text = beside_compose(runner) + beside_exec(runner);
  if (command.empty()) {
    text += "# COMMAND is the service's own\n";
    command = {"COMMAND"};
  }
  text += compose + " up -d " + service + "\n" + compose + " exec -T --user 0 " + service +
          " mkdir -p -m 777 " + results_path + "\n" + compose + " cp " + name + ".yaml " + service +
          ":" + config_path + "\n";
  if (!runner.warmup_command.empty()) text += in_it(filled.all(runner.warmup_command));
  return text + in_it(command) + compose + " cp " + service + ":" + results_path + " " + name +
         "\n" + compose + " down\n";
}

std::string local_command(const campaign::Runner& runner, const Filled& filled) {
  campaign::Argv argv = filled.all(runner.launch);
  const campaign::Argv command = command_of(runner, filled);
  argv.insert(argv.end(), command.begin(), command.end());
  std::string line;
  for (const auto& [name, value] : runner.env)
    line += name + "=" + quoted_value(filled.one(value)) + " ";
  return line + quoted(argv) + "\n";
}

}  // namespace

std::string as_docker(const campaign::Campaign& campaign, const campaign::Experiment& experiment) {
  const auto runner = campaign::runner_of(campaign, experiment);
  if (!runner) return "# " + experiment.name + ": no runner\n";
  const bool local = runner->type == campaign::RunnerType::local;
  const Filled filled(campaign, experiment, local);
  const std::string title = "# " + experiment.name + (local ? " (local, no container)\n" : "\n");
  if (runner->type == campaign::RunnerType::compose)
    return title + (runner->persistent()
                        ? held_compose_commands(campaign, *runner, experiment.name, filled)
                        : compose_command(campaign, *runner, experiment.name, filled));
  return title +
         (local ? local_command(*runner, filled) : docker_command(*runner, experiment, filled));
}

}  // namespace controller::cli
