#include <algorithm>

#include "campaign/config/field_makers.hpp"

namespace campaign {
namespace {

std::optional<std::vector<std::string>> decode_sources(Decoder& d, const Field& f,
                                                       const Value& value) {
  const Value::List one = {value};
  std::vector<std::string> sources;
  for (const Value& item : value.is_list() ? value.items() : one) {
    const auto at = d.choice(f, item);
    if (!at) return std::nullopt;
    if (std::find(sources.begin(), sources.end(), f.choices[*at]) != sources.end()) {
      d.fail(item, "stands here twice");
      return std::nullopt;
    }
    sources.push_back(f.choices[*at]);
  }
  return sources;
}

template <class Settings>
void store_sources(Decoder& d, const Field& f, Value& value, void* target) {
  if (auto sources = decode_sources(d, f, value))
    static_cast<Settings*>(target)->sources = std::move(*sources);
}

void store_enabled(Decoder& d, const Field& f, Value& value, void* target) {
  auto& enabled = static_cast<Energy*>(target)->enabled;
  if (value.kind() == Value::Kind::boolean)
    enabled = value.as_boolean() ? Energy::Enabled::yes : Energy::Enabled::no;
  else if (const auto at = d.choice(f, value))
    enabled = static_cast<Energy::Enabled>(*at);
}

Field enabled_field() {
  Field field = row({FieldType::automatic, "enabled",
                     "`true`: a note says when it could not be had; `false`: no energy"},
                    store_enabled);
  field.choices = {"auto", "true", "false"};
  return field;
}

Field energy_sources_field() {
  Field field = row({FieldType::choices, "sources",
                     "whose counters; `nvml`: the GPUs of the run; `rapl`: processors and memory; "
                     "both unless it says otherwise"},
                    store_sources<Energy>);
  field.choices = {"nvml", "rapl"};
  return field;
}

Field sources_field() {
  Field field = row({FieldType::choices, "sources",
                     "what is read; `payload`: its container or processes, and its server's; "
                     "`rapl`: energy of processors and memory; `hwmon`: temperatures of "
                     "processors; `nvml`: the GPUs of the run; `auto`: all that there are; []: "
                     "nothing"},
                    store_sources<Telemetry>);
  field.choices = {"auto", "payload", "rapl", "hwmon", "nvml"};
  return field;
}

void check_telemetry(Decoder& d, Value& map, void* target) {
  constexpr int shortest = 10;
  const auto& telemetry = *static_cast<Telemetry*>(target);
  if (telemetry.interval_ms > 0 && telemetry.interval_ms < shortest)
    d.fail_key(map, "interval_ms", "is 0 (nothing is sampled) or from 10 on");
}

}  // namespace

bool Telemetry::reads(const std::string& source) const {
  return std::any_of(sources.begin(), sources.end(),
                     [&](const std::string& each) { return each == source || each == "auto"; });
}

bool Energy::reads(const std::string& source) const {
  return std::find(sources.begin(), sources.end(), source) != sources.end();
}

const Section* telemetry_section() {
  using T = Telemetry;
  static const Section section{
      .title = "telemetry",
      .help = "What is sampled while runs are measured (telemetry.md).",
      .fields = {integer_field<&T::interval_ms>("interval_ms",
                                                "between two samples; 0: nothing is sampled")
                     .between(0, 60000)
                     .otherwise("100")
                     .like("500"),
                 sources_field().otherwise("auto").like("[payload, rapl]"),
                 boolean_field<&T::save>("save",
                                         "samples are kept with the run's results; figures are "
                                         "anyway")
                     .otherwise("true")
                     .like("false"),
                 choice_field<&T::on_throttle>(
                     "on_throttle",
                     "a run whose GPUs were slowed down by heat or by their hardware; `keep`: it "
                     "has a note; `flag`: it is invalid; `rerun`: it is done again",
                     {"keep", "flag", "rerun"})
                     .otherwise("flag")
                     .like("rerun"),
                 choice_field<&T::on_contamination>("on_contamination",
                                                    "a run whose GPUs others used, likewise",
                                                    {"keep", "flag", "rerun"})
                     .otherwise("flag")
                     .like("rerun"),
                 integer_field<&T::max_reruns>(
                     "max_reruns", "how often `rerun` does a run again; then it is flagged")
                     .between(0, 100)
                     .otherwise("2")
                     .like("3")},
      .check = check_telemetry};
  return &section;
}

const Section* energy_baseline_section() {
  using B = Energy::Baseline;
  static const Section section{
      .title = "energy.baseline",
      .help = "The power of the machine at rest, measured after a gap while no run is under way.",
      .fields = {boolean_field<&B::enabled>("enabled", "whether it is measured and taken off")
                     .otherwise("true")
                     .like("false"),
                 duration_field<&B::duration_sec>("duration_sec", "how long it is measured")
                     .from(1)
                     .otherwise("30")
                     .like("10s"),
                 duration_field<&B::cache_ttl_sec>("cache_ttl_sec", "how long it is used again")
                     .otherwise("3600")
                     .like("10m")}};
  return &section;
}

const Section* energy_section() {
  using E = Energy;
  static const Section section{
      .title = "energy",
      .help = "The energy of runs over their measure windows (telemetry.md).",
      .fields = {
          enabled_field().otherwise("auto").like("false"),
          section_field<&E::baseline>("baseline", "the machine at rest", energy_baseline_section),
          energy_sources_field().like("[rapl]"),
          boolean_field<&E::allow_process_window>(
              "allow_process_window",
              "energy also where the window is the whole process, its start and end included")
              .otherwise("false")
              .like("true")}};
  return &section;
}

}  // namespace campaign
