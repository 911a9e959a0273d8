#include <algorithm>

#include "campaign/config/field_makers.hpp"
#include "campaign/config/field_texts.hpp"

namespace campaign {
namespace {

using R = Runner;

void store_env(Decoder& d, const Field&, Value& value, void* target) {
  decode_env(d, value, static_cast<R*>(target)->env);
}

void replace(Value& value, std::string text) {
  const Origin origin = value.origin();
  value = Value::string(std::move(text));
  value.set_origin(origin);
}

void store_env_file(Decoder& d, const Field& f, Value& value, void* target) {
  if (const auto files = d.files(f, value)) static_cast<R*>(target)->env_file = *files;
}

std::optional<Volume> parse_volume(Decoder& d, const Value& item) {
  const std::string& text = item.written();
  const auto first = text.find(':');
  const auto second = first == text.npos ? text.npos : text.find(':', first + 1);
  const std::string mode = second == text.npos ? "" : text.substr(second + 1);
  Volume volume{.source = text.substr(0, first),
                .target = first == text.npos ? "" : text.substr(first + 1, second - first - 1),
                .read_only = mode == "ro"};
  const bool to_root =
      !volume.target.empty() && (volume.target[0] == '/' || volume.target[0] == '{');
  if (volume.source.empty() || !to_root || (!mode.empty() && mode != "ro" && mode != "rw")) {
    d.fail(item, "expected SOURCE:TARGET or SOURCE:TARGET:ro with an absolute TARGET, not " +
                     describe(item));
    return std::nullopt;
  }
  if (volume.source[0] == '~') {
    d.fail(item, "`~` is not expanded; write ${HOME}");
    return std::nullopt;
  }
  if (volume.source.find_first_of("/.") != std::string::npos)
    volume.source = d.absolute(volume.source);
  return volume;
}

void store_volumes(Decoder& d, const Field&, Value& value, void* target) {
  if (!d.is_list(value, "a list of SOURCE:TARGET")) return;
  for (std::size_t i = 0; i < value.items().size(); ++i) {
    const Decoder::Scope scope(d, Decoder::index(i));
    Value& item = value.items()[i];
    if (item.kind() != Value::Kind::string) {
      d.fail(item, "expected SOURCE:TARGET or SOURCE:TARGET:ro, not " + describe(item));
      continue;
    }
    d.check_template(item, item.as_string());
    if (auto volume = parse_volume(d, item)) {
      replace(item, volume->source + ":" + volume->target + (volume->read_only ? ":ro" : ""));
      static_cast<R*>(target)->volumes.push_back(*volume);
    }
  }
}

void add_tmpfs(Decoder& d, const Value& at, R& runner, const std::string& text) {
  const auto colon = text.find(':');
  const std::string target = text.substr(0, colon);
  if (target.empty() || target[0] != '/')
    return d.fail(at, "expected an absolute path inside, not " + describe(Value::string(text)));
  runner.tmpfs[target] = colon == text.npos ? "" : text.substr(colon + 1);
}

void store_tmpfs(Decoder& d, const Field& f, Value& value, void* target) {
  auto& runner = *static_cast<R*>(target);
  if (!value.is_map()) {
    if (const auto texts = d.strings(f, value)) {
      for (const std::string& text : *texts) add_tmpfs(d, value, runner, text);
    }
    return;
  }
  for (const auto& [path, options] : value.members()) {
    const Decoder::Scope scope(d, path);
    if (!options.is_scalar())
      d.fail(options, "expected mount options such as size=64m, not " + describe(options));
    add_tmpfs(d, options, runner,
              path + (options.written().empty() ? "" : ":" + options.written()));
  }
}

std::optional<std::int64_t> limit(Decoder& d, const Value& value) {
  if (value.kind() == Value::Kind::string && value.as_string() == "unlimited") return -1;
  Field field;
  field.least = -1;
  return d.integer(field, value);
}

void store_ulimits(Decoder& d, const Field&, Value& value, void* target) {
  if (!d.is_map(value, "a map of names to limits")) return;
  for (const auto& [name, given] : value.members()) {
    const Decoder::Scope scope(d, name);
    const Value* soft = given.is_map() ? given.find("soft") : &given;
    const Value* hard = given.is_map() ? given.find("hard") : &given;
    if (!soft || !hard || (given.is_map() && given.members().size() != 2)) {
      d.fail(given, "expected a limit or {soft: LIMIT, hard: LIMIT}");
      continue;
    }
    const auto low = limit(d, *soft);
    const auto high = low && hard != soft ? limit(d, *hard) : low;
    if (!low || !high) continue;
    if (*high >= 0 && (*low < 0 || *low > *high))
      d.fail(given, "the soft limit is above the hard one");
    static_cast<R*>(target)->ulimits.push_back({name, *low, *high});
  }
}

void store_user(Decoder& d, const Field& f, Value& value, void* target) {
  const auto text = d.text(f, value);
  if (!text) return;
  const auto colon = text->find(':');
  const auto number = [](const std::string& part) {
    return !part.empty() && part.size() <= 10 && part.find_first_not_of("0123456789") == part.npos;
  };
  const bool ids =
      number(text->substr(0, colon)) && (colon == text->npos || number(text->substr(colon + 1)));
  if (*text != "host" && *text != "image" && !ids) {
    return d.fail(value, "expected `host`, `image` or numbers UID:GID, not " + describe(value));
  }
  static_cast<R*>(target)->user = *text;
}

void store_workdir(Decoder& d, const Field& f, Value& value, void* target) {
  const auto text = d.text(f, value);
  if (!text) return;
  const Value* type = d.map()->find("type");
  const bool local = type && type->written() == "local";
  if (local) {
    replace(value, d.absolute(*text));
  } else if ((*text)[0] != '/' && (*text)[0] != '{') {
    return d.fail(value, "expected an absolute path inside the container, not " + describe(value));
  }
  static_cast<R*>(target)->workdir = value.written();
}

void store_cpuset(Decoder& d, const Field& f, Value& value, void* target) {
  const auto text = d.text(f, value);
  if (!text) return;
  if (text->find_first_not_of("0123456789,-") != text->npos) {
    return d.fail(value, "expected processors such as \"0-3,8\", not " + describe(value));
  }
  static_cast<R*>(target)->cpuset_cpus = *text;
}

void store_image(Decoder& d, const Field& f, Value& value, void* target) {
  const auto text = d.text(f, value);
  if (!text) return;
  if (text->find_first_of(" \t\n") != text->npos)
    return d.fail(value, "an image name has no blanks");
  static_cast<R*>(target)->image = *text;
}

template <auto M>
void store_pattern(Decoder& d, const Field& f, Value& value, void* target) {
  const auto text = d.text(f, value);
  if (!text) return;
  if (const std::string why = pattern_problem(*text); !why.empty()) return d.fail(value, why);
  Member<M>::of(target) = *text;
}

void store_strategy(Decoder& d, const Field& f, Value& value, void* target) {
  auto& runner = *static_cast<R*>(target);
  runner.strategy_written = true;
  if (auto found = decode_strategies(d, f, value)) runner.strategy = *found;
}

unsigned kind_of(Decoder&, const Value& map) {
  const Value* type = map.find("type");
  if (!type && map.find("image")) return docker_runner;
  if (!type) return map.find("service") ? compose_runner : any_runner;
  if (type->written() == "docker") return docker_runner;
  if (type->written() == "compose") return compose_runner;
  return type->written() == "local" ? local_runner : any_runner;
}

void check_runner(Decoder& d, Value& map, void* target) {
  auto& runner = *static_cast<R*>(target);
  const Value* timeout = map.find("timeout");
  runner.timeout_written = timeout && !timeout->is_null();
  const unsigned kind = kind_of(d, map);
  if (kind == compose_runner) runner.type = RunnerType::compose;
  if (kind == docker_runner && !map.find("image"))
    d.fail(map, "`image` is missing: a docker runner needs one");
  if (kind == local_runner && !map.find("command"))
    d.fail(map, "`command` is missing: a local runner needs one");
  if (runner.shell && !map.find("command")) d.fail_key(map, "shell", "needs a `command`");
  if (runner.server && !runner.server->service.empty()) {
    const Value* server = map.find("server");
    if (kind != compose_runner && kind != any_runner)
      d.fail_key(*server, "service", "applies to the server of a `compose` runner only");
    if (!runner.server->image.empty())
      d.fail_key(*server, "service", "does not go with `image`: give one of the two");
  }
  if (runner.server && !runner.network.empty()) {
    d.fail_key(map, "network", "does not go with `server`: both are in a network of their own");
  }
}

Field container_row(const About& about, Field::Store store) {
  return row(about, store).on(container_runner);
}

std::vector<Field> process_rows() {
  return {
      choice_field<&R::type>("type",
                             "how a run is executed; where unsaid `docker` with an image, else "
                             "`compose`",
                             {"docker", "compose", "local"})
          .refuse({"plugin"})
          .like("local"),
      row({FieldType::text, "image", "resolved once to an image id, kept in the manifest"},
          store_image)
          .on(docker_runner)
          .filled()
          .like("alpine:3.20"),
      choice_field<&R::pull>("pull", "when the image is pulled", {"missing", "always", "never"})
          .otherwise("missing")
          .on(docker_runner)
          .like("never"),
      text_field<&R::service>(
          "service", "of `container.compose_file`; the one with the backend's name where unsaid")
          .on(compose_runner)
          .like("worker"),
      argv_field<&R::command>("command",
                              "a list of words, or one text that is split as a shell splits words")
          .like("[sh, -c, \"exit 3\"]"),
      argv_field<&R::entrypoint>("entrypoint", "instead of the image's; [] for none")
          .on(container_runner)
          .like("[/bin/sh]"),
      row({FieldType::path, "workdir",
           "working directory; inside the container, or relative to this file"},
          store_workdir)
          .filled()
          .like("/data"),
      row({FieldType::env, "env",
           "variables; ${VAR} is filled in when a run is prepared and never stored"},
          store_env)
          .filled()
          .like("{OMP_NUM_THREADS: 4}"),
      row({FieldType::paths, "env_file", "files with NAME=VALUE lines"}, store_env_file)
          .like("[vars.env]"),
      boolean_field<&R::shell>("shell", "`command` is one text for `sh -c`")
          .otherwise("false")
          .like("true"),
      argv_field<&R::launch>("launch",
                             "words put before `command`, such as [apptainer, exec, img.sif]")
          .on(local_runner)
          .like("[nice]"),
      integer_field<&R::processes>("processes", "how many process_<n>.json a run must leave")
          .between(1, 100000)
          .like("1"),
      duration_field<&R::timeout>("timeout", "longest time of a run")
          .from(0.001)
          .otherwise("2h")
          .like("90s"),
      duration_field<&R::stall_timeout>("stall_timeout", "longest time without output and metrics")
          .from(0.001)
          .like("5m"),
      duration_field<&R::stop_grace_period>("stop_grace_period",
                                            "from TERM to KILL; unsaid 10s, with GPUs 60s")
          .like("30s"),
      duration_field<&R::estimate>("estimate", "expected time of a run, for the forecast")
          .like("2m"),
      section_field<&R::window>("window", "what of a run is measured", window_section),
  };
}

Field env_compat_row() {
  Field field = row(
      {FieldType::choice, "env_compat", "`lem`: the variables of llm-energy-measure beside ours"},
      [](Decoder& d, const Field& f, Value& value, void* target) {
        if (d.choice(f, value)) static_cast<R*>(target)->env_compat_lem = true;
      });
  field.choices = {"lem"};
  return std::move(field).like("lem");
}

std::vector<Field> container_rows() {
  return {
      container_row(
          {FieldType::text, "user", "`host` (who starts the campaign), `image`, or UID:GID"},
          store_user)
          .otherwise("host")
          .like("\"1000:1000\""),
      container_row(
          {FieldType::volumes, "volumes",
           "SOURCE:TARGET[:ro]; a SOURCE with `/` or `.` is a path that is there, or is made "
           "where it has placeholders, else a named volume"},
          store_volumes)
          .filled()
          .like("[\"./data:/data:ro\"]"),
      container_row({FieldType::tmpfs, "tmpfs", "paths inside, with mount options after a colon"},
                    store_tmpfs)
          .like("[\"/tmp:size=64m\"]"),
      size_field<&R::shm_size>("shm_size", "size of /dev/shm; unsaid 8g with GPUs")
          .on(container_runner)
          .from(4096)
          .like("1g"),
      container_row({FieldType::ulimits, "ulimits",
                     "NAME: LIMIT or {soft: LIMIT, hard: LIMIT}; -1 = unlimited"},
                    store_ulimits)
          .like("{nofile: 65536}"),
      number_field<&R::cpus>("cpus", "processors' worth of time")
          .between(0.01, 100000)
          .on(container_runner)
          .like("1.5"),
      container_row({FieldType::text, "cpuset_cpus", "processors it may use"}, store_cpuset)
          .like("\"0-3,8\""),
      size_field<&R::memory>("memory", "limit of memory; beyond it a run is killed (class oom)")
          .from(6 << 20)
          .on(container_runner)
          .like("2g"),
      integer_field<&R::pids_limit>("pids_limit", "limit of processes; -1 = none")
          .between(-1, 4194304)
          .on(container_runner)
          .like("512"),
      text_field<&R::network>("network", "none, bridge, host, or a network's name")
          .on(container_runner)
          .like("none"),
      text_field<&R::ipc>("ipc", "private, shareable, host or none")
          .on(container_runner)
          .like("host"),
      boolean_field<&R::init>("init", "an init process that reaps")
          .otherwise("true")
          .on(container_runner)
          .like("false"),
      strings_field<&R::cap_add>("cap_add", "capabilities added")
          .on(container_runner)
          .like("[SYS_NICE]"),
      strings_field<&R::cap_drop>("cap_drop", "capabilities dropped")
          .on(container_runner)
          .like("[ALL]"),
      strings_field<&R::security_opt>("security_opt", "security options")
          .on(container_runner)
          .like("[no-new-privileges]"),
      boolean_field<&R::read_only>("read_only", "read-only root file system")
          .otherwise("false")
          .on(container_runner)
          .like("true"),
      boolean_field<&R::privileged>("privileged", "all devices and capabilities")
          .otherwise("false")
          .on(container_runner)
          .like("true"),
      env_compat_row(),
      strategy_field(store_strategy).on(container_runner),
      argv_field<&R::warmup_command>(
          "warmup_command",
          "persistent: run before each measured command, up to `execution.warmup_prompts` times or "
          "until the latencies that it reports have converged; never a result")
          .on(container_runner)
          .like("[infer, --prompts, \"1\"]"),
      section_field<&R::server>("server", "a server beside each run", server_section)
          .on(container_runner),
      demand_field(),
  };
}

}  // namespace

const Section* window_section() {
  static const Section section{
      .title = "runner.window",
      .help =
          "POSIX extended regular expressions on lines of standard output that bound the measure "
          "window.",
      .fields = {
          row({FieldType::pattern, "begin", "the line at which it begins"},
              store_pattern<&Window::begin>)
              .needed()
              .like("^begin"),
          row({FieldType::pattern, "end", "the line at which it ends"}, store_pattern<&Window::end>)
              .needed()
              .like("^end$")}};
  return &section;
}

const Section* runner_section() {
  static const Section section = [] {
    Section made{.title = "runner",
                 .help = "How an experiment is executed. `runners` holds one for each backend.",
                 .fields = process_rows(),
                 .check = check_runner,
                 .kind = kind_of};
    for (Field& field : container_rows()) made.fields.push_back(std::move(field));
    for (const char* later : {"build", "secrets", "path", "with"}) {
      made.fields.push_back(unsupported_field(later));
    }
    return made;
  }();
  return &section;
}

}  // namespace campaign
