#include "compose/loader/fields.hpp"
#include "compose/loader/shapes.hpp"

namespace compose {
namespace {

constexpr std::string_view swarm_only = "only a swarm does this; it has no effect here";

const Section& device_section() {
  static const Section section = {
      .fields = {{.key = "capabilities", .form = Form::texts},
                 {.key = "driver", .form = Form::text},
                 {.key = "count", .form = Form::integer, .shape = shape_device_count, .kept = true},
                 {.key = "device_ids", .form = Form::texts},
                 {.key = "options", .form = Form::pairs}},
      .required = {"capabilities"}};
  return section;
}

const Section& limits_section() {
  static const Section section = {.fields = {{.key = "cpus", .form = Form::number},
                                             {.key = "memory", .form = Form::bytes},
                                             {.key = "pids", .form = Form::integer}},
                                  .required = {}};
  return section;
}

const Section& reservations_section() {
  static const Section section = {
      .fields = {{.key = "cpus", .form = Form::number, .idle = swarm_only},
                 {.key = "memory", .form = Form::bytes},
                 {.key = "generic_resources",
                  .form = Form::anything,
                  .refused = "only a swarm has generic resources"},
                 {.key = "devices", .form = Form::sections, .section = device_section}},
      .required = {}};
  return section;
}

const Section& resources_section() {
  static const Section section = {
      .fields = {{.key = "limits", .form = Form::section, .section = limits_section},
                 {.key = "reservations", .form = Form::section, .section = reservations_section}},
      .required = {}};
  return section;
}

const Section& update_section() {
  static const Section section = {
      .fields = {{.key = "parallelism", .form = Form::integer, .kept = true},
                 {.key = "delay", .form = Form::duration},
                 {.key = "failure_action", .form = Form::text},
                 {.key = "monitor", .form = Form::duration},
                 {.key = "max_failure_ratio", .form = Form::number},
                 {.key = "order", .form = Form::text}},
      .required = {}};
  return section;
}

const Section& restart_section() {
  static const Section section = {
      .fields = {{.key = "condition", .form = Form::text},
                 {.key = "delay", .form = Form::duration, .idle = swarm_only, .kept = true},
                 {.key = "max_attempts", .form = Form::integer, .kept = true},
                 {.key = "window", .form = Form::duration, .idle = swarm_only, .kept = true}},
      .required = {}};
  return section;
}

const Section& preference_section() {
  static const Section section = {.fields = {{.key = "spread", .form = Form::text}},
                                  .required = {}};
  return section;
}

const Section& placement_section() {
  static const Section section = {
      .fields = {{.key = "constraints", .form = Form::texts},
                 {.key = "preferences", .form = Form::sections, .section = preference_section},
                 {.key = "max_replicas_per_node", .form = Form::integer}},
      .required = {}};
  return section;
}

}  // namespace

const Section& deploy_section() {
  static const Section section = {
      .fields = {{.key = "mode", .form = Form::text, .idle = swarm_only},
                 {.key = "replicas", .form = Form::integer, .kept = true},
                 {.key = "labels", .form = Form::pairs, .idle = swarm_only},
                 {.key = "update_config",
                  .form = Form::section,
                  .section = update_section,
                  .idle = swarm_only},
                 {.key = "rollback_config",
                  .form = Form::section,
                  .section = update_section,
                  .idle = swarm_only},
                 {.key = "resources", .form = Form::section, .section = resources_section},
                 {.key = "restart_policy", .form = Form::section, .section = restart_section},
                 {.key = "placement",
                  .form = Form::section,
                  .section = placement_section,
                  .idle = swarm_only},
                 {.key = "endpoint_mode", .form = Form::text, .idle = swarm_only}},
      .required = {}};
  return section;
}

const Section& build_section() {
  static const Section section = {
      .fields = {{.key = "context", .form = Form::text},
                 {.key = "dockerfile", .form = Form::text},
                 {.key = "dockerfile_inline", .form = Form::text},
                 {.key = "entitlements", .form = Form::texts},
                 {.key = "args", .form = Form::environment},
                 {.key = "provenance", .form = Form::anything},
                 {.key = "sbom", .form = Form::anything},
                 {.key = "ssh", .form = Form::anything},
                 {.key = "labels", .form = Form::pairs},
                 {.key = "cache_from", .form = Form::texts},
                 {.key = "cache_to", .form = Form::texts},
                 {.key = "no_cache", .form = Form::flag},
                 {.key = "additional_contexts", .form = Form::pairs, .shape = shape_build_contexts},
                 {.key = "pull", .form = Form::flag},
                 {.key = "extra_hosts",
                  .form = Form::texts,
                  .merge = Merge::unique,
                  .shape = shape_extra_hosts},
                 {.key = "isolation", .form = Form::text},
                 {.key = "network", .form = Form::text},
                 {.key = "target", .form = Form::text},
                 {.key = "secrets", .form = Form::anything},
                 {.key = "shm_size", .form = Form::bytes},
                 {.key = "tags", .form = Form::texts, .merge = Merge::unique},
                 {.key = "ulimits", .form = Form::anything, .shape = shape_ulimits},
                 {.key = "platforms", .form = Form::texts},
                 {.key = "privileged", .form = Form::flag}},
      .required = {}};
  return section;
}

}  // namespace compose
