#include "compose/loader/fields.hpp"
#include "compose/loader/shapes.hpp"

namespace compose {
namespace {

const Section& weight_section() {
  static const Section section = {
      .fields = {{.key = "path", .form = Form::text}, {.key = "weight", .form = Form::integer}},
      .required = {},
      .extensions = false};
  return section;
}

const Section& throttle_section() {
  static const Section section = {
      .fields = {{.key = "path", .form = Form::text}, {.key = "rate", .form = Form::bytes}},
      .required = {},
      .extensions = false};
  return section;
}

const Section& blkio_section() {
  static const auto rates = [](std::string_view key) {
    return Field{.key = key, .form = Form::sections, .section = throttle_section};
  };
  static const Section section = {
      .fields = {{.key = "weight", .form = Form::integer},
                 {.key = "weight_device", .form = Form::sections, .section = weight_section},
                 rates("device_read_bps"),
                 rates("device_read_iops"),
                 rates("device_write_bps"),
                 rates("device_write_iops")},
      .required = {},
      .extensions = false};
  return section;
}

const Section& dependency_section() {
  static const Section section = {
      .fields = {{.key = "condition", .form = Form::text, .shape = check_condition},
                 {.key = "restart", .form = Form::flag},
                 {.key = "required", .form = Form::flag, .kept = true}},
      .required = {"condition"}};
  return section;
}

const Section& grant_section() {
  static const Section section = {
      .fields = {{.key = "source", .form = Form::text},
                 {.key = "target", .form = Form::text},
                 {.key = "uid", .form = Form::text},
                 {.key = "gid", .form = Form::text},
                 {.key = "mode", .form = Form::text, .shape = shape_mode}},
      .required = {}};
  return section;
}

const Section& device_mapping_section() {
  static const Section section = {.fields = {{.key = "source", .form = Form::text},
                                             {.key = "target", .form = Form::text},
                                             {.key = "permissions", .form = Form::text}},
                                  .required = {"source"}};
  return section;
}

const Section& env_file_section() {
  static const Section section = {.fields = {{.key = "path", .form = Form::text},
                                             {.key = "format", .form = Form::text},
                                             {.key = "required", .form = Form::flag, .kept = true}},
                                  .required = {"path"},
                                  .extensions = false};
  return section;
}

const Section& extends_section() {
  static const Section section = {
      .fields = {{.key = "service", .form = Form::text}, {.key = "file", .form = Form::text}},
      .required = {"service"},
      .extensions = false};
  return section;
}

const Section& gpu_section() {
  static const Section section = {
      .fields = {{.key = "capabilities", .form = Form::texts},
                 {.key = "driver", .form = Form::text},
                 {.key = "count", .form = Form::integer, .shape = shape_device_count, .kept = true},
                 {.key = "device_ids", .form = Form::texts},
                 {.key = "options", .form = Form::pairs}},
      .required = {}};
  return section;
}

const Section& health_section() {
  static const Section section = {
      .fields = {{.key = "test",
                  .form = Form::texts,
                  .merge = Merge::replace,
                  .shape = shape_health_test},
                 {.key = "timeout", .form = Form::duration, .kept = true},
                 {.key = "interval", .form = Form::duration, .kept = true},
                 {.key = "retries", .form = Form::integer, .kept = true},
                 {.key = "start_period", .form = Form::duration, .kept = true},
                 {.key = "start_interval", .form = Form::duration, .kept = true},
                 {.key = "disable", .form = Form::flag}},
      .required = {}};
  return section;
}

const Section& logging_section() {
  static const Section section = {
      .fields = {{.key = "driver", .form = Form::text}, {.key = "options", .form = Form::options}},
      .required = {}};
  return section;
}

const Section& attachment_section() {
  static const Section section = {
      .fields = {{.key = "aliases", .form = Form::texts, .merge = Merge::unique},
                 {.key = "driver_opts", .form = Form::options},
                 {.key = "gw_priority", .form = Form::integer},
                 {.key = "interface_name", .form = Form::text},
                 {.key = "ipv4_address", .form = Form::text},
                 {.key = "ipv6_address", .form = Form::text},
                 {.key = "link_local_ips", .form = Form::texts, .merge = Merge::unique},
                 {.key = "mac_address", .form = Form::text},
                 {.key = "priority", .form = Form::integer}},
      .required = {}};
  return section;
}

const Section& port_section() {
  static const Section section = {.fields = {{.key = "name", .form = Form::text},
                                             {.key = "mode", .form = Form::text},
                                             {.key = "host_ip", .form = Form::text},
                                             {.key = "target", .form = Form::integer},
                                             {.key = "published", .form = Form::text},
                                             {.key = "protocol", .form = Form::text},
                                             {.key = "app_protocol", .form = Form::text}},
                                  .required = {}};
  return section;
}

const Section& bind_section() {
  static const Section section = {
      .fields = {{.key = "selinux", .form = Form::text, .shape = check_selinux},
                 {.key = "propagation", .form = Form::text},
                 {.key = "create_host_path", .form = Form::flag},
                 {.key = "recursive", .form = Form::text, .shape = check_recursive}},
      .required = {}};
  return section;
}

const Section& volume_options_section() {
  static const Section section = {.fields = {{.key = "labels", .form = Form::pairs},
                                             {.key = "nocopy", .form = Form::flag},
                                             {.key = "subpath", .form = Form::text}},
                                  .required = {}};
  return section;
}

const Section& tmpfs_section() {
  static const Section section = {
      .fields = {{.key = "size", .form = Form::bytes},
                 {.key = "mode", .form = Form::integer, .shape = shape_mount_mode}},
      .required = {}};
  return section;
}

const Section& image_mount_section() {
  static const Section section = {.fields = {{.key = "subpath", .form = Form::text}},
                                  .required = {}};
  return section;
}

const Section& mount_section() {
  static const Section section = {
      .fields = {{.key = "type", .form = Form::text, .shape = check_mount_type},
                 {.key = "source", .form = Form::text},
                 {.key = "target", .form = Form::text},
                 {.key = "read_only", .form = Form::flag},
                 {.key = "consistency", .form = Form::text},
                 {.key = "bind", .form = Form::section, .section = bind_section},
                 {.key = "volume", .form = Form::section, .section = volume_options_section},
                 {.key = "tmpfs", .form = Form::section, .section = tmpfs_section},
                 {.key = "image", .form = Form::section, .section = image_mount_section}},
      .required = {"type"}};
  return section;
}

constexpr std::string_view no_develop = "watching sources is not done by campaignctl; leave it out";
constexpr std::string_view no_models = "models are not run by campaignctl";
constexpr std::string_view no_provider = "a service of a provider has no container to run";
constexpr std::string_view no_hooks =
    "hooks are not run by campaignctl; put it into the image's entrypoint, or exec it";
constexpr std::string_view no_credentials = "credential specs are of Windows containers";
constexpr std::string_view no_socket =
    "it hands the engine's socket and credentials to the container; mount what you need";

}  // namespace

const Section& service_section() {
  static const Section section =
      {.fields =
           {{.key = "annotations", .form = Form::pairs},
            {.key = "attach", .form = Form::flag, .kept = true},
            {.key = "build", .form = Form::section, .section = build_section, .shape = shape_build},
            {.key = "develop", .form = Form::anything, .refused = no_develop},
            {.key = "blkio_config", .form = Form::section, .section = blkio_section},
            {.key = "cap_add", .form = Form::texts, .merge = Merge::unique},
            {.key = "cap_drop", .form = Form::texts, .merge = Merge::unique},
            {.key = "cgroup_parent", .form = Form::text},
            {.key = "cgroup", .form = Form::text, .shape = check_cgroup},
            {.key = "cpu_count", .form = Form::integer},
            {.key = "cpu_percent", .form = Form::number},
            {.key = "cpu_period", .form = Form::integer},
            {.key = "cpu_quota", .form = Form::integer},
            {.key = "cpu_rt_period", .form = Form::integer},
            {.key = "cpu_rt_runtime", .form = Form::integer},
            {.key = "cpus", .form = Form::number},
            {.key = "cpuset", .form = Form::text},
            {.key = "cpu_shares", .form = Form::integer},
            {.key = "command", .form = Form::command, .merge = Merge::replace, .kept = true},
            {.key = "configs",
             .form = Form::sections,
             .section = grant_section,
             .merge = Merge::by_target,
             .shape = shape_config_grants},
            {.key = "container_name", .form = Form::text, .shape = check_container_name},
            {.key = "credential_spec", .form = Form::anything, .refused = no_credentials},
            {.key = "depends_on",
             .form = Form::named,
             .section = dependency_section,
             .shape = shape_depends_on},
            {.key = "deploy", .form = Form::section, .section = deploy_section},
            {.key = "device_cgroup_rules", .form = Form::texts},
            {.key = "devices",
             .form = Form::sections,
             .section = device_mapping_section,
             .merge = Merge::by_target,
             .shape = shape_devices},
            {.key = "dns", .form = Form::text_or_texts, .merge = Merge::unique},
            {.key = "dns_opt", .form = Form::texts, .merge = Merge::unique},
            {.key = "dns_search", .form = Form::text_or_texts, .merge = Merge::unique},
            {.key = "domainname", .form = Form::text},
            {.key = "entrypoint", .form = Form::command, .merge = Merge::replace, .kept = true},
            {.key = "provider", .form = Form::anything, .refused = no_provider},
            {.key = "environment", .form = Form::environment},
            {.key = "env_file",
             .form = Form::sections,
             .section = env_file_section,
             .merge = Merge::by_path,
             .shape = shape_env_file},
            {.key = "expose", .form = Form::texts_or_numbers, .merge = Merge::unique},
            {.key = "extends",
             .form = Form::section,
             .section = extends_section,
             .shape = shape_extends},
            {.key = "external_links", .form = Form::texts},
            {.key = "extra_hosts",
             .form = Form::texts,
             .merge = Merge::unique,
             .shape = shape_extra_hosts},
            {.key = "gpus", .form = Form::sections, .section = gpu_section, .shape = shape_gpus},
            {.key = "group_add", .form = Form::texts_or_numbers},
            {.key = "hostname", .form = Form::text},
            {.key = "healthcheck", .form = Form::section, .section = health_section},
            {.key = "image", .form = Form::text},
            {.key = "init", .form = Form::flag, .kept = true},
            {.key = "ipc", .form = Form::text},
            {.key = "isolation", .form = Form::text},
            {.key = "labels", .form = Form::pairs},
            {.key = "label_file",
             .form = Form::texts,
             .merge = Merge::unique,
             .shape = shape_label_file},
            {.key = "links", .form = Form::texts, .merge = Merge::unique},
            {.key = "logging",
             .form = Form::section,
             .section = logging_section,
             .merge = Merge::logging},
            {.key = "mem_limit", .form = Form::bytes},
            {.key = "mem_reservation", .form = Form::bytes},
            {.key = "memswap_limit", .form = Form::bytes},
            {.key = "mem_swappiness", .form = Form::bytes},
            {.key = "mac_address", .form = Form::text},
            {.key = "models", .form = Form::anything, .refused = no_models},
            {.key = "networks",
             .form = Form::named,
             .section = attachment_section,
             .shape = shape_networks},
            {.key = "network_mode", .form = Form::text},
            {.key = "oom_kill_disable", .form = Form::flag},
            {.key = "oom_score_adj", .form = Form::integer},
            {.key = "pid", .form = Form::text},
            {.key = "pids_limit", .form = Form::integer},
            {.key = "platform", .form = Form::text},
            {.key = "ports",
             .form = Form::sections,
             .section = port_section,
             .merge = Merge::by_port,
             .shape = shape_ports},
            {.key = "privileged", .form = Form::flag},
            {.key = "profiles", .form = Form::texts, .merge = Merge::unique},
            {.key = "pull_policy", .form = Form::text, .shape = check_pull_policy},
            {.key = "pull_refresh_after",
             .form = Form::anything,
             .refused = "write pull_policy: every_12h"},
            {.key = "read_only", .form = Form::flag},
            {.key = "restart", .form = Form::text, .shape = check_restart},
            {.key = "runtime", .form = Form::text},
            {.key = "scale", .form = Form::integer, .kept = true},
            {.key = "secrets",
             .form = Form::sections,
             .section = grant_section,
             .merge = Merge::by_target,
             .shape = shape_secret_grants},
            {.key = "security_opt", .form = Form::texts},
            {.key = "shm_size", .form = Form::bytes},
            {.key = "stdin_open", .form = Form::flag},
            {.key = "stop_grace_period", .form = Form::duration, .kept = true},
            {.key = "stop_signal", .form = Form::text},
            {.key = "storage_opt", .form = Form::options},
            {.key = "sysctls", .form = Form::pairs},
            {.key = "tmpfs", .form = Form::text_or_texts, .merge = Merge::unique},
            {.key = "tty", .form = Form::flag},
            {.key = "ulimits", .form = Form::anything, .shape = shape_ulimits},
            {.key = "use_api_socket", .form = Form::anything, .refused = no_socket},
            {.key = "user", .form = Form::text},
            {.key = "userns_mode", .form = Form::text},
            {.key = "uts", .form = Form::text},
            {.key = "volumes",
             .form = Form::sections,
             .section = mount_section,
             .merge = Merge::by_target,
             .shape = shape_volumes},
            {.key = "volumes_from", .form = Form::texts},
            {.key = "working_dir", .form = Form::text},
            {.key = "post_start", .form = Form::anything, .refused = no_hooks},
            {.key = "pre_stop", .form = Form::anything, .refused = no_hooks}},
       .required = {}};
  return section;
}

}  // namespace compose
