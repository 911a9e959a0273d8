#include <nlohmann/json.hpp>

#include "campaign/config/fields.hpp"
#include "campaign/config/loader.hpp"

namespace campaign {
namespace {

using Json = nlohmann::ordered_json;

Json schema_of(const Section& section);

Json typed(const char* type) { return Json{{"type", type}}; }

Json texts() {
  const Json scalar{{"type", Json::array({"string", "number"})}};
  return Json{{"anyOf", Json::array({scalar, Json{{"type", "array"}, {"items", scalar}}})}};
}

Json map_of(Json values) {
  return Json{{"type", "object"}, {"additionalProperties", std::move(values)}};
}
Json list_of(Json items) { return Json{{"type", "array"}, {"items", std::move(items)}}; }

Json scalar_schema() { return Json{{"type", Json::array({"string", "number", "boolean"})}}; }

Json command_schema() {
  return Json{{"anyOf", Json::array({typed("string"), list_of(scalar_schema())})}};
}

Json limit_schema() {
  const Json one{{"type", Json::array({"integer", "string"})}};
  const Json pair{{"type", "object"},
                  {"properties", {{"soft", one}, {"hard", one}}},
                  {"required", {"soft", "hard"}}};
  return Json{{"anyOf", Json::array({one, pair})}};
}

Json measured(const char* number, const char* pattern) {
  const Json plain{{"type", number}, {"minimum", 0}};
  return Json{{"anyOf", Json::array({plain, Json{{"type", "string"}, {"pattern", pattern}}})}};
}

Json bounded(const Field& field, const char* type) {
  Json schema = typed(type);
  if (field.least) schema["minimum"] = *field.least;
  if (field.most) schema["maximum"] = *field.most;
  return schema;
}

// Words; a count where `auto` is none of them; ids, as a list or in a map.
Json gpus_schema(const Field& field) {
  const Json ids = list_of(Json{{"type", Json::array({"string", "integer"})}});
  Json any = Json::array({Json{{"enum", field.choices}},
                          Json{{"type", "object"},
                               {"properties", {{"ids", ids}}},
                               {"required", {"ids"}},
                               {"additionalProperties", false}},
                          Json{{"type", "string"}, {"pattern", "^ids:."}}, ids});
  if (field.choices.front() != "auto") any.push_back(Json{{"type", "integer"}, {"minimum", 0}});
  return Json{{"anyOf", any}};
}

Json scalar_type(const Field& field) {
  switch (field.type) {
    case FieldType::boolean:
      return typed("boolean");
    case FieldType::automatic:
      return Json{{"enum", Json::array({"auto", true, false})}};
    case FieldType::gpus:
      return gpus_schema(field);
    case FieldType::integer:
      return bounded(field, "integer");
    case FieldType::number:
      return bounded(field, "number");
    case FieldType::duration:
      return measured("number", "^([0-9.]+(ms|[smhd]))+$|^[0-9.]+$");
    case FieldType::size:
      return measured("integer", "^[0-9.]+([kmgtpKMGTP]?[iI]?[bB]?)$");
    case FieldType::choice:
    case FieldType::only:
      return Json{{"enum", field.choices}};
    case FieldType::choices: {
      const Json one{{"enum", field.choices}};
      return Json{{"anyOf", Json::array({one, list_of(one)})}};
    }
    case FieldType::name:
      return Json{{"type", Json::array({"string", "number"})},
                  {"pattern", "^[A-Za-z0-9][A-Za-z0-9._-]*$"}};
    case FieldType::argv:
      return command_schema();
    case FieldType::strings:
    case FieldType::paths:
      return texts();
    default:
      return Json{{"type", Json::array({"string", "number"})}};
  }
}

Json schema_of(const Field& field) {
  switch (field.type) {
    case FieldType::object:
      return schema_of(*field.section());
    case FieldType::object_map:
      return map_of(schema_of(*field.section()));
    case FieldType::object_list:
      return list_of(schema_of(*field.section()));
    case FieldType::env:
    case FieldType::scalar_map:
      return map_of(scalar_schema());
    case FieldType::free_map:
      return typed("object");
    case FieldType::axes_map:
      return map_of(Json{{"type", "array"}, {"minItems", 1}});
    case FieldType::free_map_list:
      return list_of(typed("object"));
    case FieldType::volumes:
      return list_of(typed("string"));
    case FieldType::ulimits:
      return map_of(limit_schema());
    case FieldType::zip:
      return list_of(Json{{"type", "array"}, {"items", typed("string")}, {"minItems", 2}});
    case FieldType::tmpfs: {
      Json either = texts();
      either["anyOf"].push_back(map_of(Json{{"type", Json::array({"string", "null"})}}));
      return either;
    }
    default:
      return scalar_type(field);
  }
}

Json described(const Field& field) {
  Json schema = schema_of(field);
  if (!field.required && field.fallback.empty())
    schema = Json{{"anyOf", Json::array({schema, typed("null")})}};
  schema["description"] = field.help;
  if (!field.fallback.empty())
    schema["default"] = Json::parse(to_json(Value::plain_scalar(field.fallback)));
  return schema;
}

Json schema_of(const Section& section) {
  Json properties = Json::object(), required = Json::array();
  for (const Field& field : section.fields) {
    if (field.type == FieldType::unsupported) continue;
    const Json schema = described(field);
    properties[field.name] = schema;
    for (const std::string& alias : field.aliases) properties[alias] = schema;
    if (field.required && field.aliases.empty()) required.push_back(field.name);
  }
  Json schema{{"type", "object"}, {"additionalProperties", false}, {"properties", properties}};
  if (!required.empty()) schema["required"] = required;
  return schema;
}

}  // namespace

std::string campaign_schema() {
  Json schema{{"$schema", "https://json-schema.org/draft/2020-12/schema"},
              {"title", "Campaign file of campaignctl"}};
  schema.update(schema_of(*campaign_section()));
  schema["anyOf"] =
      Json::array({Json{{"required", {"name"}}}, Json{{"required", {"campaign_name"}}}});
  return schema.dump(2) + "\n";
}

}  // namespace campaign
