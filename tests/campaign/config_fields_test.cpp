#include "campaign/config/fields.hpp"

#include <functional>
#include <nlohmann/json.hpp>
#include <set>

#include "campaign/config/yaml_reader.hpp"
#include "tests/campaign/config_folder.hpp"

namespace campaign {
namespace {

Value yaml(const std::string& text) { return read_yaml({.text = text, .name = "test"}).value; }

// Puts the keys of one section into a whole campaign.
using Wrap = std::function<Value(Value)>;

struct Place {
  const Section* section;
  std::string key;  // dotted, for messages
  Wrap wrap;
};

Value member(const std::string& name, Value value) {
  return Value::map({{name, std::move(value)}});
}

const char* runner_with(const Field& field) {
  if (field.applies & docker_runner) return "{image: x}";
  return field.applies == compose_runner ? "{type: compose}" : "{type: local, command: a b}";
}

std::vector<Place> places() {
  const Value base = yaml(
      "{name: x, axes: {level: [1, 9], depth: [1, 2]}, container: {compose_file: other.yaml}, "
      "runners: {z: {type: local, command: a}}}");
  std::vector<Place> all = {
      {campaign_section(), "", [base](Value inner) { return merged(base, inner); }}};
  for (std::size_t i = 0; i < all.size(); ++i) {
    const Place outer = all[i];
    for (const Field& field : outer.section->fields) {
      if (!field.section) continue;
      Wrap wrap = [outer, field](Value inner) {
        if (field.type == FieldType::object_map) inner = member("sample", std::move(inner));
        if (field.type == FieldType::object_list) inner = Value::list({std::move(inner)});
        return outer.wrap(member(field.name, std::move(inner)));
      };
      if (outer.section == runner_section()) {
        const char* runner = runner_with(field);
        wrap = [outer, field, runner](Value inner) {
          const bool service = field.name == "server" && inner.find("service");
          const Value beside = yaml(service ? "{type: compose}" : runner);
          return outer.wrap(merged(beside, member(field.name, std::move(inner))));
        };
      }
      all.push_back(
          {field.section(), outer.key + (outer.key.empty() ? "" : ".") + field.name, wrap});
    }
  }
  return all;
}

// What must stand beside a field so that it may stand at all.
Value company(const Place& place, const Field& field) {
  if (place.section == runner_section()) {
    if (field.name == "warmup_command") return yaml("{image: x, strategy: persistent}");
    return yaml(runner_with(field));
  }
  if (place.section == ready_section()) {
    return yaml(field.name == "timeout" ? "{tcp: ':80'}" : "{}");
  }
  if (place.section == window_section()) return yaml("{begin: a, end: b}");
  const bool source = field.name == "json" || field.name == "regex" || field.name == "stage";
  if (place.section == metric_section()) return yaml(source ? "{}" : "{stage: other}");
  return Value::map({});
}

Campaign decoded(const Value& document) {
  static const Folder folder;
  folder.write("configs/a.yaml", "x: 1\n");
  folder.write("vars.env", "A=1\n");
  folder.write("compose.yaml", "services: {}\n");
  folder.write("other.yaml", "services: {}\n");
  Campaign campaign = load_campaign(
      {.path = folder / "campaign.yaml", .sets = {}, .environment = {}, .document = document});
  campaign.document = {};
  return campaign;
}

TEST(Fields, EveryDeclaredFieldIsDecodedIntoSomething) {
  std::set<std::string> without_effect;
  int walked = 0;
  for (const Place& place : places()) {
    for (const Field& field : place.section->fields) {
      if (field.type == FieldType::unsupported || field.section) continue;
      const std::string key = place.key + "." + field.name;
      ASSERT_FALSE(field.sample.empty()) << key;
      const Value beside = company(place, field);
      const Value document = place.wrap(merged(beside, member(field.name, yaml(field.sample))));
      try {
        const Campaign after = decoded(document);
        const bool source = place.section == metric_section() && beside.members().empty();
        const bool check = place.section == ready_section() && beside.members().empty();
        if (check) {
          EXPECT_NE(after, decoded(place.wrap(yaml("{tcp: ':1'}")))) << key;
          continue;
        }
        if (source || after == decoded(place.wrap(beside))) without_effect.insert(key);
        if (source && after.collect.metrics.at(0).where == yaml(field.sample).as_string())
          without_effect.erase(key);
      } catch (const ConfigError& e) {
        ADD_FAILURE() << key << ": " << e.what();
      }
      ++walked;
    }
  }
  EXPECT_EQ(without_effect,
            (std::set<std::string>{".schema_version", "runner.type", "runners.type"}));
  EXPECT_GT(walked, 90);
}

TEST(Fields, EveryLaterFieldIsRefusedByName) {
  const Folder folder;
  for (const Place& place : places()) {
    for (const Field& field : place.section->fields) {
      if (field.type != FieldType::unsupported) continue;
      const Value document =
          place.wrap(merged(company(place, field), member(field.name, Value::null())));
      const std::string error = error_of(folder, [&] { decoded(document); });
      const std::string why = field.help.empty() ? "is not supported yet" : field.help;
      EXPECT_NE(error.find(field.name + ": `" + field.name + "` " + why), std::string::npos)
          << error;
    }
  }
}

TEST(Fields, DefaultsOfTheTableAreThoseOfTheStructs) {
  const Campaign campaign = decoded(yaml(R"(
name: x
axes: {a: [1]}
runner: {image: x}
execution: {failure_threshold: {}, retries: {}}
io: {}
collect: {}
hooks: {}
container: {}
health_check: {}
cold_start: {}
thermal: {}
telemetry: {}
energy: {baseline: {}}
)"));
  Execution execution;
  execution.failure_threshold.emplace();
  EXPECT_EQ(campaign.execution, execution);
  Runner runner;
  runner.image = "x";
  EXPECT_EQ(*campaign.runner, runner);
  EXPECT_EQ(campaign.collect, Collect{});
  EXPECT_EQ(campaign.hooks, Hooks{});
  EXPECT_EQ(campaign.container, ContainerDefaults{});
  EXPECT_EQ(campaign.health_check, HealthCheck{});
  EXPECT_EQ(campaign.cold_start, ColdStart{});
  EXPECT_EQ(campaign.thermal, Thermal{});
  EXPECT_EQ(campaign.telemetry, Telemetry{});
  EXPECT_EQ(campaign.energy, Energy{});
  EXPECT_EQ(campaign.io.manifest_filename, Io{}.manifest_filename);
  EXPECT_EQ(campaign.io.min_free, Io{}.min_free);
  const Campaign unsaid = decoded(yaml("{name: x, axes: {a: [1]}, runner: {image: x}}"));
  EXPECT_EQ(unsaid.io, campaign.io);
}

TEST(Fields, AliasesMeanTheSame) {
  const Campaign ours = decoded(yaml(R"(
name: x
axes: {backend: [a, b], model_name: [m], fp: [f16, f32]}
set: {n: 1}
per_backend: {a: {axes: {"a.batch": [1, 4]}, set: {k: 2}}}
runners: {a: {image: x}, b: {image: y}}
execution: {cycles: 3, structure: grouped, seed: 4, config_gap_seconds: 6}
experiments: [{backend: a, set: {z: 1}}]
)"));
  const Campaign theirs = decoded(yaml(R"(
campaign_name: x
grid:
  backends: [a, b]
  models: [m]
  shared: {fp: [f16, f32], n: 1}
  backend_overrides: {a: {"a.batch": [1, 4], k: 2}}
backends: {a: {image: x}, b: {image: y}}
execution: {n_cycles: 3, cycle_order: grouped, shuffle_seed: 4, experiment_gap_seconds: 6}
experiments: [{backend: a, overrides: {z: 1}}]
)"));
  EXPECT_EQ(ours, theirs);
}

TEST(Fields, ReferencePageIsTheOneInDocs) {
  std::ifstream file(TEST_DATA_DIR "/../../docs/campaign-file.md");
  const std::string page((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  EXPECT_EQ(page, campaign_reference());
}

TEST(Fields, SchemaHoldsEveryFieldWithItsBounds) {
  const auto schema = nlohmann::json::parse(campaign_schema());
  EXPECT_EQ(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
  EXPECT_EQ(schema["additionalProperties"], false);
  for (const Field& field : campaign_section()->fields) {
    EXPECT_EQ(schema["properties"].contains(field.name), field.type != FieldType::unsupported)
        << field.name;
  }
  const auto& cycles = schema["/properties/execution/anyOf/0/properties/cycles"_json_pointer];
  EXPECT_EQ(cycles["type"], "integer");
  EXPECT_EQ(cycles["minimum"], 1);
  EXPECT_EQ(cycles["maximum"], 10000);
  EXPECT_EQ(cycles["default"], 5);
}

}  // namespace
}  // namespace campaign
