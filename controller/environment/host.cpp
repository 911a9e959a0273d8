#include "controller/environment/host.hpp"

#include <sys/utsname.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <set>

#include "controller/telemetry/kernel_file.hpp"

namespace controller {

namespace fs = std::filesystem;
using campaign::Fact;
using campaign::FactGroup;

namespace {

// The first line of a file, or why there is none.
struct Line {
  std::optional<std::string> text;
  std::string why;
};

std::string why_unreadable(const fs::path& file) {
  return file.string() + ": " + (errno == 0 ? "empty" : std::strerror(errno));
}

Line line_of(const fs::path& file) {
  errno = 0;
  const std::string text = telemetry::whole_text(file);
  if (text.empty()) return {.text = std::nullopt, .why = why_unreadable(file)};
  return {.text = text.substr(0, text.find('\n')), .why = ""};
}

Fact text_fact(const std::string& name, const Line& line) {
  return line.text ? Fact::of(name, *line.text) : Fact::unknown(name, line.why);
}

std::optional<std::int64_t> number_in(const std::string& text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end == text.data()) return std::nullopt;
  return number;
}

// The value behind the first line that begins with `key`, then blanks and `separator`.
Line keyed(const fs::path& file, std::string_view key, char separator) {
  errno = 0;
  const std::string text = telemetry::whole_text(file);
  if (text.empty()) return {.text = std::nullopt, .why = why_unreadable(file)};
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string line = text.substr(at, end - at);
    at = end + 1;
    const std::size_t found = line.find(separator);
    if (!line.starts_with(key) || found == std::string::npos) continue;
    if (line.find_first_not_of(" \t", key.size()) != found) continue;
    const std::size_t begin = line.find_first_not_of(" \t", found + 1);
    return {.text = begin == std::string::npos ? "" : line.substr(begin), .why = ""};
  }
  return {.text = std::nullopt, .why = file.string() + " has no " + std::string(key)};
}

std::string without_quotes(std::string text) {
  std::erase(text, '"');
  return text;
}

Fact memory_fact(const fs::path& proc) {
  constexpr std::int64_t kibi = 1024;
  const Line line = keyed(proc / "meminfo", "MemTotal", ':');
  const auto kibibytes = line.text ? number_in(*line.text) : std::nullopt;
  if (kibibytes) return Fact::of("memory_bytes", *kibibytes * kibi);
  return Fact::unknown("memory_bytes", line.text ? "no number: " + *line.text : line.why);
}

// One file of each of a kernel's cpufreq policies.
struct Policies {
  std::vector<std::string> lines;
  std::string why;  // without lines
};

Policies policies(const fs::path& cpus, const char* file) {
  Policies found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(cpus / "cpufreq", error)) {
    if (!entry.path().filename().string().starts_with("policy")) continue;
    const Line line = line_of(entry.path() / file);
    if (line.text)
      found.lines.push_back(*line.text);
    else if (found.why.empty())
      found.why = line.why;
  }
  if (found.lines.empty() && found.why.empty())
    found.why = "the kernel governs no frequency here: no " + (cpus / "cpufreq/policy*").string();
  return found;
}

Fact all_of(const std::string& name, const Policies& found) {
  if (found.lines.empty()) return Fact::unknown(name, found.why);
  const std::set<std::string> different(found.lines.begin(), found.lines.end());
  std::string text;
  for (const std::string& one : different) text += (text.empty() ? "" : ", ") + one;
  return Fact::of(name, text);
}

enum class Limit { lowest, highest };

// Of kilohertz, in megahertz.
Fact limit_of(const std::string& name, const Policies& found, Limit limit) {
  constexpr double kilo = 1000;
  std::optional<double> all;
  for (const std::string& line : found.lines) {
    const auto number = number_in(line);
    if (!number) return Fact::unknown(name, "no number: " + line);
    const double megahertz = static_cast<double>(*number) / kilo;
    if (!all || (limit == Limit::lowest ? megahertz < *all : megahertz > *all)) all = megahertz;
  }
  return all ? Fact::of(name, *all) : Fact::unknown(name, found.why);
}

// Intel's driver says whether it is off, the others whether it is on.
Fact boost_fact(const fs::path& cpus) {
  const Line off = line_of(cpus / "intel_pstate/no_turbo");
  if (off.text) return Fact::of("boost", *off.text == "0");
  const Line on = line_of(cpus / "cpufreq/boost");
  if (on.text) return Fact::of("boost", *on.text != "0");
  return Fact::unknown("boost", on.why);
}

Fact given(const std::string& name, const std::string& text) {
  return text.empty() ? Fact::unknown(name, "the engine does not say") : Fact::of(name, text);
}

struct Scheduler {
  const char* name;
  const char* id;  // the variable of a job's number: set in its jobs alone
  std::vector<std::pair<const char*, const char*>> more;  // fact and variable
};

const std::vector<Scheduler>& schedulers() {
  static const std::vector<Scheduler> all = {
      {"slurm",
       "SLURM_JOB_ID",
       {{"name", "SLURM_JOB_NAME"},
        {"partition", "SLURM_JOB_PARTITION"},
        {"cluster", "SLURM_CLUSTER_NAME"},
        {"step", "SLURM_STEP_ID"},
        {"array_task", "SLURM_ARRAY_TASK_ID"},
        {"restarts", "SLURM_RESTART_COUNT"}}},
      {"pbs", "PBS_JOBID", {{"name", "PBS_JOBNAME"}, {"partition", "PBS_QUEUE"}}},
      {"lsf", "LSB_JOBID", {{"name", "LSB_JOBNAME"}, {"partition", "LSB_QUEUE"}}},
      {"flux", "FLUX_JOB_ID", {}},
      {"sge", "JOB_ID", {{"name", "JOB_NAME"}, {"partition", "QUEUE"}}},
  };
  return all;
}

}  // namespace

FactGroup host_facts(const EnvironmentPlaces& places) {
  utsname names{};
  uname(&names);
  const fs::path proc = places.roots.proc;
  Line os = keyed(places.os_release, "PRETTY_NAME", '=');
  if (os.text) os.text = without_quotes(*os.text);
  return {.name = "host",
          .facts = {Fact::of("name", std::string(names.nodename)),
                    Fact::of("kernel", std::string(names.sysname) + " " + names.release),
                    text_fact("os", os), memory_fact(proc)}};
}

Fact cpu_model(const EnvironmentPlaces& places) {
  return text_fact("model", keyed(fs::path(places.roots.proc) / "cpuinfo", "model name", ':'));
}

FactGroup cpu_facts(const EnvironmentPlaces& places) {
  const fs::path cpus = fs::path(places.roots.sys) / "devices/system/cpu";
  return {.name = "cpu",
          .facts = {text_fact("online", line_of(cpus / "online")),
                    text_fact("smt", line_of(cpus / "smt/control")),
                    all_of("frequency_driver", policies(cpus, "scaling_driver")),
                    all_of("governor", policies(cpus, "scaling_governor")),
                    limit_of("min_mhz", policies(cpus, "scaling_min_freq"), Limit::lowest),
                    limit_of("max_mhz", policies(cpus, "scaling_max_freq"), Limit::highest),
                    boost_fact(cpus)}};
}

FactGroup engine_facts(const container::EngineInfo& engine) {
  return {.name = "engine",
          .facts = {Fact::of("kind", std::string(engine.podman ? "podman" : "docker")),
                    given("name", engine.name), given("version", engine.version),
                    given("api_version", engine.api_version),
                    given("cgroup_version", engine.cgroup_version),
                    given("cgroup_driver", engine.cgroup_driver),
                    Fact::of("rootless", engine.rootless)}};
}

FactGroup image_facts(const std::string& name, const container::ImageInfo& image) {
  std::string digests;
  for (const std::string& digest : image.repo_digests)
    digests += (digests.empty() ? "" : ", ") + digest;
  return {.name = "image",
          .facts = {Fact::of("name", name), Fact::of("id", image.id),
                    Fact::of("identity", image.identity()),
                    digests.empty()
                        ? Fact::unknown("digest", "it was made here, and no registry has it")
                        : Fact::of("digest", digests)}};
}

std::optional<FactGroup> job_facts(const campaign::Environment& variables) {
  for (const Scheduler& scheduler : schedulers()) {
    const auto id = variables(scheduler.id);
    if (!id || id->empty()) continue;
    FactGroup job{
        .name = "job",
        .facts = {Fact::of("scheduler", std::string(scheduler.name)), Fact::of("id", *id)}};
    for (const auto& [name, variable] : scheduler.more)
      if (const auto value = variables(variable); value && !value->empty())
        job.facts.push_back(Fact::of(name, *value));
    return job;
  }
  return std::nullopt;
}

}  // namespace controller
