// The declaration of every key of a campaign file: one Field each, in Sections. Decoding, defaults,
// ranges, did-you- mean, the JSON Schema, --set and the reference page are all made from it
// (fields_*.cpp hold the tables).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "campaign/config/value.hpp"

namespace campaign {

class Decoder;
struct Section;

enum class FieldType {
  text,
  name,
  boolean,
  integer,
  number,
  duration,
  size,
  choice,
  choices,    // one, or a list of several
  automatic,  // `auto`, or a boolean
  gpus,       // a selection of devices
  only,
  pattern,
  path,
  argv,
  strings,
  paths,
  env,
  tmpfs,
  volumes,
  ulimits,
  zip,
  scalar_map,
  free_map,
  axes_map,
  free_map_list,
  object,
  object_map,
  object_list,
  unsupported
};

enum RunnerKind : unsigned {
  any_runner = 0,
  docker_runner = 1,
  compose_runner = 2,
  container_runner = docker_runner | compose_runner,
  local_runner = 4
};

struct Field {
  // Stores a checked value in the member of `target`, and brings `value` to its absolute form
  // (paths).
  using Store = void (*)(Decoder&, const Field&, Value& value, void* target);

  std::string name;
  FieldType type = FieldType::text;
  std::string help;
  std::string fallback;  // the default as YAML; "" = none
  std::string sample;    // as YAML; a value unlike the default, shown in the reference
  std::optional<double> least, most;
  std::vector<std::string> choices;  // for `only`: the one value that is accepted
  std::vector<std::string> later;    // choices that are refused as not supported yet
  std::vector<std::string> aliases;
  unsigned applies = any_runner;
  bool required = false;
  bool templated = false;  // placeholders are filled in
  const Section* (*section)() = nullptr;
  Store store = nullptr;

  Field&& from(double minimum) && {
    least = minimum;
    return std::move(*this);
  }
  Field&& between(double minimum, double maximum) && {
    least = minimum;
    most = maximum;
    return std::move(*this);
  }
  Field&& otherwise(std::string value) && {
    fallback = std::move(value);
    return std::move(*this);
  }
  Field&& alias(std::string other) && {
    aliases.push_back(std::move(other));
    return std::move(*this);
  }
  Field&& like(std::string value) && {
    sample = std::move(value);
    return std::move(*this);
  }
  Field&& refuse(std::vector<std::string> values) && {
    later = std::move(values);
    return std::move(*this);
  }
  Field&& on(RunnerKind kind) && {
    applies = kind;
    return std::move(*this);
  }
  Field&& needed() && {
    required = true;
    return std::move(*this);
  }
  Field&& filled() && {
    templated = true;
    return std::move(*this);
  }
};

struct Section {
  std::string title;  // as the reference names it: "execution", "runners.NAME"
  std::string help;
  std::vector<Field> fields;
  void (*check)(Decoder&, Value& map, void* target) = nullptr;  // after all fields
  unsigned (*kind)(Decoder&, const Value& map) = nullptr;       // which runner's keys apply

  // By name or alias; nullptr when unknown.
  const Field* find(std::string_view key) const;
  std::vector<std::string> names() const;  // the supported ones, for did-you-mean
};

const Section* campaign_section();
const Section* grid_section();
const Section* per_backend_section();
const Section* experiment_section();
const Section* runner_section();
const Section* window_section();
const Section* server_section();
const Section* ready_section();
const Section* container_section();
const Section* gpus_wait_section();
const Section* health_check_section();
const Section* cold_start_section();
const Section* execution_section();
const Section* retries_section();
const Section* failure_threshold_section();
const Section* telemetry_section();
const Section* energy_section();
const Section* energy_baseline_section();
const Section* io_section();
const Section* hooks_section();
const Section* collect_section();
const Section* metric_section();

}  // namespace campaign
