// Sections about containers beside the runner's own: what a server is, how persistent ones are
// watched and made cold.
#include "campaign/config/field_makers.hpp"
#include "campaign/config/field_texts.hpp"

namespace campaign {
namespace {

bool is_port(const std::string& text) {
  return !text.empty() && text.size() <= 5 &&
         text.find_first_not_of("0123456789") == std::string::npos && std::stoi(text) > 0 &&
         std::stoi(text) < 65536;
}

// "[HOST]:PORT", and with `path` anything behind a slash.
bool is_address(std::string text, bool path) {
  if (path && text.starts_with("http://")) text.erase(0, 7);
  const auto slash = text.find('/');
  if (slash != text.npos && !path) return false;
  const std::string place = text.substr(0, slash);
  const auto colon = place.rfind(':');
  return place.find('{') != place.npos || (colon != place.npos && is_port(place.substr(colon + 1)));
}

template <auto M, bool path>
Field address_field(const char* name, const char* help) {
  return row({FieldType::text, name, help},
             [](Decoder& d, const Field& f, Value& value, void* target) {
               const auto text = d.text(f, value);
               if (!text) return;
               if (!is_address(*text, path)) {
                 return d.fail(value, std::string("expected [HOST]:PORT") + (path ? "/PATH" : "") +
                                          ", not " + describe(value));
               }
               Member<M>::of(target) = *text;
             })
      .filled();
}

void store_log(Decoder& d, const Field& f, Value& value, void* target) {
  const auto text = d.text(f, value);
  if (!text) return;
  if (const std::string why = pattern_problem(*text); !why.empty()) return d.fail(value, why);
  static_cast<Ready*>(target)->log = *text;
}

void check_ready(Decoder& d, Value& map, void*) {
  int said = 0;
  for (const char* way : {"http", "tcp", "exec", "log"}) said += map.find(way) != nullptr;
  if (said != 1) d.fail(map, "expected one of `http`, `tcp`, `exec` and `log`");
}

void store_server_env(Decoder& d, const Field&, Value& value, void* target) {
  decode_env(d, value, static_cast<Server*>(target)->env);
}

// "PORT", "HOSTPORT:PORT", "ADDRESS:HOSTPORT:PORT"
bool is_publication(const std::string& text) {
  const auto last = text.rfind(':');
  if (last == text.npos) return is_port(text);
  if (!is_port(text.substr(last + 1))) return false;
  const std::string rest = text.substr(0, last);
  const auto colon = rest.rfind(':');
  return is_port(colon == rest.npos ? rest : rest.substr(colon + 1));
}

void store_ports(Decoder& d, const Field& f, Value& value, void* target) {
  const auto texts = d.strings(f, value);
  if (!texts) return;
  for (const std::string& text : *texts) {
    if (!is_publication(text)) {
      d.fail(value, "expected ports such as \"8080:8000\", not " + describe(Value::string(text)));
    }
  }
  static_cast<Server*>(target)->ports = *texts;
}

void store_defaults_strategy(Decoder& d, const Field& f, Value& value, void* target) {
  if (auto found = decode_strategies(d, f, value)) {
    static_cast<ContainerDefaults*>(target)->strategy = *found;
  }
}

void store_engine(Decoder& d, const Field& f, Value& value, void* target) {
  const auto text = d.text(f, value);
  if (!text) return;
  if (!text->starts_with("unix://") && !text->starts_with("tcp://")) {
    return d.fail(value, "expected unix:///PATH or tcp://HOST:PORT, not " + describe(value));
  }
  static_cast<ContainerDefaults*>(target)->engine = *text;
}

void store_compose_files(Decoder& d, const Field& f, Value& value, void* target) {
  if (const auto files = d.files(f, value))
    static_cast<ContainerDefaults*>(target)->compose_files = *files;
}

void store_project_name(Decoder& d, const Field& f, Value& value, void* target) {
  const auto text = d.text(f, value);
  if (!text) return;
  const bool first = !text->empty() && (std::isdigit(static_cast<unsigned char>(text->front())) ||
                                        std::islower(static_cast<unsigned char>(text->front())));
  if (!first ||
      text->find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_-") != std::string::npos)
    return d.fail(value, "expected lower-case letters, digits, `_` and `-`, a letter or digit " +
                             std::string("first, not ") + describe(value));
  static_cast<ContainerDefaults*>(target)->project_name = *text;
}

std::vector<Field> server_rows() {
  using S = Server;
  return {
      text_field<&S::image>("image", "its image; the runner's where unsaid").filled().like("srv:1"),
      text_field<&S::service>("service", "of the compose file; the runner's where unsaid")
          .like("engine"),
      argv_field<&S::command>("command", "its command; the image's where unsaid").like("[serve]"),
      row({FieldType::env, "env", "its variables; ${VAR} is filled in when a run is prepared"},
          store_server_env)
          .filled()
          .like("{THREADS: 4}"),
      row({FieldType::strings, "ports", "published on the host: PORT or [ADDRESS:]HOSTPORT:PORT"},
          store_ports)
          .like("[\"8080:8000\"]"),
      section_field<&S::ready>("ready", "when it is ready; where unsaid, as soon as it runs",
                               ready_section),
      choice_field<&S::reuse>(
          "reuse",
          "`run`: a fresh server for each run; `while_same`: it is kept while the next run's is "
          "identical",
          {"run", "while_same"})
          .otherwise("run")
          .like("while_same"),
  };
}

}  // namespace

const Section* ready_section() {
  using Y = Ready;
  static const Section section{
      .title = "runner.server.ready",
      .help = "One check, made from inside the server's container until it holds.",
      .fields =
          {address_field<&Y::http, true>("http", "[HOST]:PORT/PATH answers with 2xx or 3xx")
               .like("\":8000/health\""),
           address_field<&Y::tcp, false>("tcp", "[HOST]:PORT takes a connection").like("\":8000\""),
           argv_field<&Y::exec>("exec", "a command in its container ends with 0")
               .like("[test, -e, /ready]"),
           row({FieldType::pattern, "log", "a line of its output that matches"}, store_log)
               .like("\"^listening\""),
           duration_field<&Y::timeout>("timeout", "longest time until then")
               .from(0.001)
               .otherwise("5m")
               .like("30s")},
      .check = check_ready};
  return &section;
}

const Section* server_section() {
  static const Section section{
      .title = "runner.server",
      .help =
          "A server beside each run. The runner's own `command` is the client, which reaches "
          "it as the host `server` in a network of their own; the window is the client's.",
      .fields = server_rows()};
  return &section;
}

const Section* container_section() {
  static const Section section{
      .title = "container",
      .help = "Defaults of all runners.",
      .fields = {strategy_field(store_defaults_strategy).otherwise("ephemeral"),
                 row({FieldType::text, "engine",
                      "the engine's address; else DOCKER_HOST, the current context, or a default "
                      "socket"},
                     store_engine)
                     .like("\"unix:///run/docker.sock\""),
                 row({FieldType::paths, "compose_file",
                      "whose services `compose` runners are; several are merged as by `-f`"},
                     store_compose_files)
                     .like("compose.yaml"),
                 row({FieldType::name, "project_name",
                      "of what is made of it; else the campaign's id and four digits of its uid"},
                     store_project_name)
                     .like("bench")}};
  return &section;
}

const Section* health_check_section() {
  using H = HealthCheck;
  static const Section section{
      .title = "health_check",
      .help = "Looks at persistent containers between runs.",
      .fields = {boolean_field<&H::enabled>("enabled", "whether they are looked at")
                     .otherwise("true")
                     .like("false"),
                 integer_field<&H::interval_experiments>(
                     "interval_experiments", "runs between two looks; 0 = after each cycle")
                     .otherwise("0")
                     .like("4"),
                 boolean_field<&H::restart_on_failure>("restart_on_failure",
                                                       "one that died or is unhealthy is made anew")
                     .otherwise("true")
                     .like("false"),
                 integer_field<&H::max_restarts>(
                     "max_restarts", "of one container in a session; beyond it runs fail as infra")
                     .between(0, 1000)
                     .otherwise("3")
                     .like("5"),
                 integer_field<&H::gpu_memory_threshold_pct>(
                     "gpu_memory_threshold_pct",
                     "one on whose device more memory is in use before a run is made anew")
                     .between(50, 100)
                     .otherwise("90")
                     .like("80")}};
  return &section;
}

const Section* cold_start_section() {
  using S = ColdStart;
  static const Section section{
      .title = "cold_start",
      .help = "Makes runs start cold.",
      .fields = {
          boolean_field<&S::force_cold_start>(
              "force_cold_start", "no warmup, a fresh container and a fresh home before each run")
              .otherwise("false")
              .like("true"),
          boolean_field<&S::restart_container>(
              "restart_container", "a fresh container before each run, warmed up as always")
              .otherwise("false")
              .like("true")}};
  return &section;
}

}  // namespace campaign
