#include <glob.h>

#include <algorithm>
#include <filesystem>

#include "campaign/config/field_makers.hpp"
#include "campaign/config/nearest.hpp"

namespace campaign {
namespace {

using C = Campaign;

void store_free_map(Decoder& d, Value& value, Value& into) {
  if (!d.is_map(value, "a map of keys to values")) return;
  d.check_templates(value);
  into = value;
}

template <auto M>
Field free_map_field(const char* name, const char* help) {
  return row({FieldType::free_map, name, help},
             [](Decoder& d, const Field&, Value& value, void* target) {
               store_free_map(d, value, Member<M>::of(target));
             });
}

void add_axis(Decoder& d, const Value& map, const Value::Map::value_type& axis, Value& into) {
  const Decoder::Scope scope(d, axis.first);
  if (!d.is_list(axis.second, "a list of values")) return;
  if (axis.second.items().empty()) return d.fail(axis.second, "an axis without values");
  if (into.find(axis.first)) return d.fail(axis.second, "`" + axis.first + "` is an axis already");
  if (!into.is_map()) into = Value::map({});
  into.append(axis.first, axis.second, map.key_origin(axis.first));
}

void store_axes(Decoder& d, Value& value, Value& into) {
  if (!d.is_map(value, "a map of keys to lists of values")) return;
  for (const auto& axis : value.members()) add_axis(d, value, axis, into);
}

template <auto M>
Field axes_field(const char* name, const char* help) {
  return row({FieldType::axes_map, name, help},
             [](Decoder& d, const Field&, Value& value, void* target) {
               store_axes(d, value, Member<M>::of(target));
             });
}

// Lists are axes, anything else is set.

void split_mixed(Decoder& d, const Value& value, PerBackend& into) {
  if (!d.is_map(value, "a map of keys to a value or a list of values")) return;
  for (const auto& member : value.members()) {
    if (member.second.is_list()) {
      add_axis(d, value, member, into.axes);
    } else {
      if (!into.set.is_map()) into.set = Value::map({});
      into.set.append(member.first, member.second, value.key_origin(member.first));
    }
  }
}

template <const char* const& axis>
void store_grid_axis(Decoder& d, const Field& f, Value& value, void* target) {
  if (d.strings(f, value)) add_axis(d, *d.map(), {axis, value}, static_cast<C*>(target)->axes);
}

const char* const backend_axis = "backend";
const char* const model_axis = "model_name";

void store_grid_shared(Decoder& d, const Field&, Value& value, void* target) {
  auto& campaign = *static_cast<C*>(target);
  PerBackend both{.axes = std::move(campaign.axes), .set = std::move(campaign.set)};
  split_mixed(d, value, both);
  campaign.axes = std::move(both.axes);
  campaign.set = std::move(both.set);
}

void store_grid_overrides(Decoder& d, const Field&, Value& value, void* target) {
  if (!d.is_map(value, "a map of backends")) return;
  for (const auto& [backend, given] : value.members()) {
    const Decoder::Scope scope(d, backend);
    split_mixed(d, given, static_cast<C*>(target)->per_backend[backend]);
  }
}

void store_grid(Decoder& d, const Field& f, Value& value, void* target) {
  d.section(*f.section(), value, target);
}

void store_per_backend(Decoder& d, const Field& f, Value& value, void* target) {
  if (!d.is_map(value, "a map of backends")) return;
  for (auto& [backend, given] : value.members()) {
    const Decoder::Scope scope(d, backend);
    d.section(*f.section(), given, &static_cast<C*>(target)->per_backend[backend]);
  }
}

void store_zip(Decoder& d, const Field& f, Value& value, void* target) {
  if (!d.is_list(value, "a list of lists of axes")) return;
  for (std::size_t i = 0; i < value.items().size(); ++i) {
    const Decoder::Scope scope(d, Decoder::index(i));
    if (!d.is_list(value.items()[i], "a list of axes")) continue;
    if (auto axes = d.strings(f, value.items()[i])) static_cast<C*>(target)->zip.push_back(*axes);
  }
}

void store_exclude(Decoder& d, const Field&, Value& value, void* target) {
  if (!d.is_list(value, "a list of maps")) return;
  for (std::size_t i = 0; i < value.items().size(); ++i) {
    const Decoder::Scope scope(d, Decoder::index(i));
    const Value& point = value.items()[i];
    if (!d.is_map(point, "a map of keys to values")) continue;
    if (point.members().empty()) d.fail(point, "an empty map would exclude everything");
    static_cast<C*>(target)->exclude.push_back(point);
  }
}

void store_name(Decoder& d, const Field& f, Value& value, void* target) {
  const auto text = d.text(f, value);
  if (!text || !d.check_name(value, *text, 40)) return;
  auto& campaign = *static_cast<C*>(target);
  campaign.name = campaign.id = *text;
  for (char& c : campaign.id) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

void store_schema_version(Decoder& d, const Field& f, Value& value, void*) {
  const auto text = d.text(f, value);
  if (text && text->substr(0, text->find('.')) != "1") {
    d.fail(value, "schema version " + *text + " is not known; this campaignctl reads version 1");
  }
}

std::vector<std::string> matches_of(const std::string& pattern) {
  std::vector<std::string> found;
  glob_t result;
  if (::glob(pattern.c_str(), 0, nullptr, &result) == 0) {
    for (std::size_t i = 0; i < result.gl_pathc; ++i) found.emplace_back(result.gl_pathv[i]);
  }
  ::globfree(&result);
  std::sort(found.begin(), found.end());
  return found;
}

void add_config(Decoder& d, const Value& item, Value::List& files) {
  const std::string path = d.absolute(item.written());
  const bool pattern = path.find_first_of("*?[") != path.npos && !std::filesystem::exists(path);
  std::vector<std::string> found = pattern && d.fresh() ? matches_of(path) : std::vector{path};
  if (pattern) std::erase(found, d.file());
  if (found.empty()) d.fail(item, "no file matches " + describe(item));
  for (std::string& file : found) {
    if (d.fresh() && !std::filesystem::exists(file)) d.fail(item, "no such file: " + file);
    Value absolute = Value::string(std::move(file));
    absolute.set_origin(item.origin());
    files.push_back(std::move(absolute));
  }
}

void store_configs(Decoder& d, const Field& f, Value& value, void* target) {
  if (!d.strings(f, value)) return;
  Value::List files;
  for (std::size_t i = 0; i < value.items().size(); ++i) {
    const Decoder::Scope scope(d, Decoder::index(i));
    if (value.items()[i].is_scalar()) add_config(d, value.items()[i], files);
  }
  if (!value.is_list()) add_config(d, value, files);
  const Origin origin = value.origin();
  value = Value::list(std::move(files));
  value.set_origin(origin);
  for (const Value& file : value.items())
    static_cast<C*>(target)->configs.push_back(file.as_string());
}

void store_experiments(Decoder& d, const Field& f, Value& value, void* target) {
  if (!d.is_list(value, "a list of experiments")) return;
  for (std::size_t i = 0; i < value.items().size(); ++i) {
    const Decoder::Scope scope(d, Decoder::index(i));
    ExperimentEntry entry;
    entry.origin = value.items()[i].origin();
    d.section(*f.section(), value.items()[i], &entry);
    static_cast<C*>(target)->experiments.push_back(std::move(entry));
  }
}

void store_config(Decoder& d, const Field& f, Value& value, void* target) {
  path_field<&ExperimentEntry::config>("", "").store(d, f, value, target);
  const std::string& path = static_cast<ExperimentEntry*>(target)->config;
  if (d.fresh() && !path.empty() && !std::filesystem::exists(path))
    d.fail(value, "no such file: " + path);
}

void store_experiment_name(Decoder& d, const Field& f, Value& value, void* target) {
  const auto text = d.text(f, value);
  if (text && d.check_name(value, *text, 60)) static_cast<ExperimentEntry*>(target)->name = *text;
}

void store_vars(Decoder& d, const Field&, Value& value, void* target) {
  if (!d.is_map(value, "a map of names to values")) return;
  for (const auto& [name, member] : value.members()) {
    const Decoder::Scope scope(d, name);
    d.check_name(member, name, 60);
    if (!member.is_scalar())
      d.fail(member, "expected a text, number or truth value, not " + describe(member));
  }
  static_cast<C*>(target)->vars = value;
}

void store_runners(Decoder& d, const Field& f, Value& value, void* target) {
  if (!d.is_map(value, "a map of backends to runners")) return;
  for (auto& [backend, given] : value.members()) {
    const Decoder::Scope scope(d, backend);
    d.check_name(given, backend, 60);
    d.section(*f.section(), given, &static_cast<C*>(target)->runners[backend]);
  }
}

std::vector<std::string> axis_names(const C& campaign) {
  std::vector<std::string> names;
  for (const auto& [name, values] : campaign.axes.members()) names.push_back(name);
  return names;
}

void check_zip(Decoder& d, const Value& map, const C& campaign) {
  std::vector<std::string> seen;
  for (const auto& axes : campaign.zip) {
    const Value* first = axes.empty() ? nullptr : campaign.axes.find(axes[0]);
    if (axes.size() < 2) d.fail_key(map, "zip", "expected at least two axes to pair");
    for (const std::string& axis : axes) {
      const Value* values = campaign.axes.find(axis);
      const bool again = std::find(seen.begin(), seen.end(), axis) != seen.end();
      seen.push_back(axis);
      if (!values) {
        d.fail_key(map, "zip",
                   "`" + axis + "` is no axis" + did_you_mean(axis, axis_names(campaign)));
      } else if (again) {
        d.fail_key(map, "zip", "`" + axis + "` is paired twice");
      } else if (first && values->items().size() != first->items().size()) {
        d.fail_key(map, "zip",
                   "`" + axes[0] + "` has " + std::to_string(first->items().size()) +
                       " values and `" + axis + "` has " + std::to_string(values->items().size()) +
                       "; paired axes are equally long");
      }
    }
  }
}

void check_experiment_names(Decoder& d, const C& campaign) {
  for (std::size_t i = 0; i < campaign.experiments.size(); ++i) {
    const ExperimentEntry& entry = campaign.experiments[i];
    for (std::size_t j = 0; j < i && !entry.name.empty(); ++j) {
      if (campaign.experiments[j].name != entry.name) continue;
      Value at;
      at.set_origin(entry.origin);
      const Decoder::Scope scope(d, "experiments[" + std::to_string(i) + "].name");
      d.fail(at,
             "`" + entry.name + "` is the name of experiments[" + std::to_string(j) + "] already");
    }
  }
}

bool has_experiments(const C& campaign) {
  const bool backends = std::any_of(campaign.per_backend.begin(), campaign.per_backend.end(),
                                    [](const auto& entry) { return entry.second.axes.is_map(); });
  return campaign.axes.is_map() || backends || !campaign.configs.empty() ||
         !campaign.experiments.empty();
}

struct DefaultStrategy {
  std::vector<Strategy> strategy;
  bool overrides = false;  // said on the command line: it is laid over all runners
};

// One that says neither what it is nor an image is a service, where the campaign has a compose
// file.
void settle_type(Decoder& d, Value& given, Runner& runner, const ContainerDefaults& container) {
  const bool said = given.find("type") || given.find("image") || given.find("service");
  if (!said && container.compose_files.empty()) {
    return d.fail(given,
                  "`type` is missing: say `type: local`, or give an `image` for a docker runner");
  }
  if (!said) {
    runner.type = RunnerType::compose;
    for (const auto& [key, value] : given.members()) {
      const Field* field = runner_section()->find(key);
      if (field && field->applies && !(field->applies & compose_runner))
        d.fail_key(given, key, "does not apply to a `compose` runner, which this one is");
    }
  }
  if (runner.type == RunnerType::compose && container.compose_files.empty())
    d.fail(given, "a `compose` runner needs `container.compose_file`");
}

void settle_strategy(Decoder& d, Value& given, Runner& runner, const DefaultStrategy& otherwise) {
  if (runner.type == RunnerType::local) return;
  if (!runner.strategy_written || otherwise.overrides) runner.strategy = otherwise.strategy;
  if (otherwise.overrides) {
    std::erase_if(given.members(), [](const auto& member) { return member.first == "strategy"; });
    runner.strategy_written = false;
  }
  const auto& all = runner.strategy;
  const bool persistent = std::find(all.begin(), all.end(), Strategy::persistent) != all.end();
  if (runner.warmup_command.empty() || persistent) return;
  d.fail_key(given, "warmup_command",
             "needs `strategy: persistent`: before an ephemeral run it would warm another "
             "container than the one that is measured");
}

void settle_runners(Decoder& d, Value& map, C& campaign) {
  const Value* strategy = map.at_path("container.strategy");
  const DefaultStrategy otherwise{.strategy = campaign.container.strategy,
                                  .overrides = strategy && strategy->origin().file == "--set"};
  const auto settle = [&](Value& given, Runner& runner) {
    settle_type(d, given, runner, campaign.container);
    settle_strategy(d, given, runner, otherwise);
  };
  if (Value* given = map.find("runner"); given && given->is_map() && campaign.runner) {
    const Decoder::Scope scope(d, "runner");
    settle(*given, *campaign.runner);
  }
  for (const char* key : {"runners", "backends"}) {
    Value* all = map.find(key);
    if (!all || !all->is_map()) continue;
    const Decoder::Scope scope(d, key);
    for (auto& [name, given] : all->members()) {
      const Decoder::Scope inner(d, name);
      const auto found = campaign.runners.find(name);
      if (found != campaign.runners.end() && given.is_map()) settle(given, found->second);
    }
  }
}

void check_campaign(Decoder& d, Value& map, void* target) {
  auto& campaign = *static_cast<C*>(target);
  settle_runners(d, map, campaign);
  check_zip(d, map, campaign);
  check_experiment_names(d, campaign);
  const bool says =
      map.find("axes") || map.find("grid") || map.find("configs") || map.find("experiments");
  if (!says && !has_experiments(campaign))
    d.fail(map, "no experiments: give `axes`, `configs` or `experiments`");
  if (!map.find("runner") && !map.find("runners") && !map.find("backends") &&
      campaign.container.compose_files.empty()) {
    d.fail(map, "`runner` is missing: how an experiment is executed");
  }
}

Field nested(const About& about, Field::Store store, const Section* (*section)()) {
  Field field = row(about, store);
  field.section = section;
  return field;
}

std::vector<Field> experiment_rows() {
  return {
      row({FieldType::name, "name", "at most 40 of letters, digits, `.`, `_`, `-`"}, store_name)
          .needed()
          .alias("campaign_name")
          .like("Demo.2"),
      axes_field<&C::axes>(
          "axes", "dotted keys and their values, crossed; `backend` is an axis like any other")
          .like("{level: [1, 9], tp: [1, 2]}"),
      free_map_field<&C::set>("set", "values of every experiment").filled().like("{batch: 4}"),
      row({FieldType::zip, "zip", "groups of axes that are paired, not crossed"}, store_zip)
          .like("[[level, depth]]"),
      row({FieldType::free_map_list, "exclude", "points that are dropped"}, store_exclude)
          .like("[{level: 9}]"),
      nested({FieldType::object_map, "per_backend", "more axes and values of one backend"},
             store_per_backend, per_backend_section),
      nested({FieldType::object, "grid", "another spelling of axes and per_backend"}, store_grid,
             grid_section),
      row({FieldType::paths, "configs", "experiment config files; globs are sorted"}, store_configs)
          .like("[\"configs/*.yaml\"]"),
      nested({FieldType::object_list, "experiments", "explicit experiments"}, store_experiments,
             experiment_section),
      text_field<&C::name_template>("name_template", "how experiments are named")
          .filled()
          .like("\"{p.backend}-x\""),
      row({FieldType::scalar_map, "vars", "filled in as {vars.NAME}"}, store_vars)
          .like("{data: /srv}"),
  };
}

std::vector<Field> setting_rows() {
  return {
      section_field<&C::runner>("runner", "how an experiment is executed", runner_section),
      nested({FieldType::object_map, "runners", "runners by backend"}, store_runners,
             runner_section)
          .alias("backends"),
      section_field<&C::container>("container", "defaults of all runners", container_section),
      pool_field(),
      section_field<&C::gpus_wait>("gpus_wait", "for devices that others hold", gpus_wait_section),
      section_field<&C::execution>("execution", "cycles, order, gaps, retries", execution_section),
      section_field<&C::health_check>("health_check", "of persistent containers, between runs",
                                      health_check_section),
      section_field<&C::cold_start>("cold_start", "makes runs start cold", cold_start_section),
      section_field<&C::telemetry>("telemetry", "what is sampled meanwhile", telemetry_section),
      section_field<&C::energy>("energy", "the energy of runs", energy_section),
      section_field<&C::io>("io", "where things lie", io_section),
      section_field<&C::hooks>("hooks", "commands on the host", hooks_section),
      section_field<&C::collect>("collect", "results and metrics", collect_section),
      strings_field<&C::group_by>("group_by", "dotted keys by which summaries are grouped")
          .like("[backend]"),
      row({FieldType::text, "schema_version", "version of this format: 1"}, store_schema_version)
          .like("1"),
  };
}

}  // namespace

const Section* grid_section() {
  static const Section section{
      .title = "grid",
      .help = "The spelling of llm-energy-measure; `axes`, `set` and `per_backend` say the same.",
      .fields = {
          row({FieldType::strings, "backends", "axis `backend`"}, store_grid_axis<backend_axis>)
              .like("[vllm]"),
          row({FieldType::strings, "models", "axis `model_name`"}, store_grid_axis<model_axis>)
              .like("[gpt2]"),
          row({FieldType::free_map, "shared", "lists are axes, anything else is set"},
              store_grid_shared)
              .like("{precision: [f16, f32]}"),
          axes_field<&C::axes>("axes", "axes").like("{precision: [f16, f32]}"),
          row({FieldType::free_map, "backend_overrides",
               "by backend: lists are axes, anything else is set"},
              store_grid_overrides)
              .like("{vllm: {tp: [1, 2]}}")}};
  return &section;
}

const Section* per_backend_section() {
  using P = PerBackend;
  static const Section section{
      .title = "per_backend.NAME",
      .help = "What one backend has beyond the others.",
      .fields = {axes_field<&P::axes>("axes", "its own axes").like("{tp: [1, 2]}"),
                 free_map_field<&P::set>("set", "its own values").filled().like("{tp: 1}")}};
  return &section;
}

const Section* experiment_section() {
  using X = ExperimentEntry;
  static const Section section{
      .title = "experiments[]",
      .help = "One experiment.",
      .fields = {
          row({FieldType::name, "name", "else made from backend and values"}, store_experiment_name)
              .like("first"),
          row({FieldType::path, "config", "a config file"}, store_config).like("configs/a.yaml"),
          text_field<&X::backend>("backend", "else as the config says").like("vllm"),
          free_map_field<&X::set>("set", "values over the config's")
              .filled()
              .alias("overrides")
              .like("{batch: 4}"),
          unsupported_field("preset")}};
  return &section;
}

const Section* campaign_section() {
  static const Section section = [] {
    Section made{.title = "", .help = "", .fields = experiment_rows(), .check = check_campaign};
    for (Field& field : setting_rows()) made.fields.push_back(std::move(field));
    for (const char* later :
         {"defaults", "presets", "_extends", "model", "dataset", "num_samples", "thermal", "slurm",
          "daemon", "schedule", "compare", "postprocess", "notifications"}) {
      made.fields.push_back(unsupported_field(later));
    }
    return made;
  }();
  return &section;
}

}  // namespace campaign
