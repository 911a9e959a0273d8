#include "compose/loader/fields.hpp"

#include "compose/loader/shapes.hpp"

namespace compose {
namespace {

const Section& external_section() {
  static const Section section = {.fields = {{.key = "name", .form = Form::text}}, .required = {}};
  return section;
}

const Section& ipam_pool_section() {
  static const Section section = {.fields = {{.key = "subnet", .form = Form::text},
                                             {.key = "gateway", .form = Form::text},
                                             {.key = "ip_range", .form = Form::text},
                                             {.key = "aux_addresses", .form = Form::options}},
                                  .required = {}};
  return section;
}

const Section& ipam_section() {
  static const Section section = {
      .fields = {{.key = "driver", .form = Form::text},
                 {.key = "config", .form = Form::sections, .section = ipam_pool_section},
                 {.key = "options", .form = Form::options}},
      .required = {}};
  return section;
}

constexpr std::string_view no_models = "models are not run by campaignctl";
constexpr std::string_view no_store =
    "the engine has a store for these only in a swarm; give a `file`, `environment` or `content`";

}  // namespace

const Field* Section::find(std::string_view key) const {
  for (const Field& field : fields)
    if (field.key == key) return &field;
  return nullptr;
}

const Section& project_section() {
  static const Section section = {
      .fields = {{.key = "version", .form = Form::text, .idle = "it means nothing any more"},
                 {.key = "name", .form = Form::text},
                 {.key = "include",
                  .form = Form::sections,
                  .section = include_section,
                  .shape = shape_include},
                 {.key = "services", .form = Form::named, .section = service_section, .kept = true},
                 {.key = "models", .form = Form::anything, .refused = no_models},
                 {.key = "networks", .form = Form::named, .section = network_section},
                 {.key = "volumes", .form = Form::named, .section = volume_section},
                 {.key = "secrets", .form = Form::named, .section = secret_section},
                 {.key = "configs", .form = Form::named, .section = config_section}},
      .required = {}};
  return section;
}

const Section& include_section() {
  static const Section section = {.fields = {{.key = "path", .form = Form::text_or_texts},
                                             {.key = "env_file", .form = Form::text_or_texts},
                                             {.key = "project_directory", .form = Form::text}},
                                  .required = {"path"},
                                  .extensions = false};
  return section;
}

const Section& network_section() {
  static const Section section = {
      .fields = {{.key = "name", .form = Form::text},
                 {.key = "driver", .form = Form::text},
                 {.key = "driver_opts", .form = Form::options},
                 {.key = "ipam", .form = Form::section, .section = ipam_section},
                 {.key = "external",
                  .form = Form::section,
                  .section = external_section,
                  .shape = shape_external},
                 {.key = "internal", .form = Form::flag},
                 {.key = "attachable", .form = Form::flag},
                 {.key = "labels", .form = Form::pairs},
                 {.key = "enable_ipv4", .form = Form::flag, .kept = true},
                 {.key = "enable_ipv6", .form = Form::flag, .kept = true}},
      .required = {}};
  return section;
}

const Section& volume_section() {
  static const Section section = {
      .fields = {{.key = "name", .form = Form::text},
                 {.key = "driver", .form = Form::text},
                 {.key = "driver_opts", .form = Form::options, .shape = shape_driver_opts},
                 {.key = "external",
                  .form = Form::section,
                  .section = external_section,
                  .shape = shape_external},
                 {.key = "labels", .form = Form::pairs}},
      .required = {}};
  return section;
}

const Section& config_section() {
  static const Section section = {
      .fields = {{.key = "name", .form = Form::text},
                 {.key = "content", .form = Form::text},
                 {.key = "environment", .form = Form::text},
                 {.key = "file", .form = Form::text, .shape = shape_file},
                 {.key = "external", .form = Form::anything, .refused = no_store},
                 {.key = "labels", .form = Form::pairs, .idle = "only a swarm has labels here"},
                 {.key = "template_driver", .form = Form::anything, .refused = no_store}},
      .required = {}};
  return section;
}

const Section& secret_section() {
  static const Section section = {
      .fields = {{.key = "name", .form = Form::text},
                 {.key = "environment", .form = Form::text},
                 {.key = "file", .form = Form::text, .shape = shape_file},
                 {.key = "external", .form = Form::anything, .refused = no_store},
                 {.key = "labels", .form = Form::pairs, .idle = "only a swarm has labels here"},
                 {.key = "driver", .form = Form::anything, .refused = no_store},
                 {.key = "driver_opts", .form = Form::anything, .refused = no_store},
                 {.key = "template_driver", .form = Form::anything, .refused = no_store}},
      .required = {}};
  return section;
}

}  // namespace compose
