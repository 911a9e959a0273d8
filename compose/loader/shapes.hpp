// Short forms of compose files and the long ones that they stand for.
#pragma once

#include "compose/loader/fields.hpp"

namespace compose {

void shape_ports(YamlNode& node, const Path& path, Context& context);
void shape_volumes(YamlNode& node, const Path& path, Context& context);
void shape_networks(YamlNode& node, const Path& path, Context& context);
void shape_depends_on(YamlNode& node, const Path& path, Context& context);
void shape_env_file(YamlNode& node, const Path& path, Context& context);
void shape_label_file(YamlNode& node, const Path& path, Context& context);
void shape_build(YamlNode& node, const Path& path, Context& context);
void shape_build_contexts(YamlNode& node, const Path& path, Context& context);
void shape_extends(YamlNode& node, const Path& path, Context& context);
void shape_include(YamlNode& node, const Path& path, Context& context);
void shape_gpus(YamlNode& node, const Path& path, Context& context);
// Of neither a count nor ids all devices are meant.
void shape_device_requests(YamlNode& node, const Path& path, Context& context);
void shape_device_count(YamlNode& node, const Path& path, Context& context);
void shape_devices(YamlNode& node, const Path& path, Context& context);
void shape_secret_grants(YamlNode& node, const Path& path, Context& context);
void shape_config_grants(YamlNode& node, const Path& path, Context& context);
void shape_mode(YamlNode& node, const Path& path, Context& context);
void shape_mount_mode(YamlNode& node, const Path& path, Context& context);
void shape_ulimits(YamlNode& node, const Path& path, Context& context);
void shape_extra_hosts(YamlNode& node, const Path& path, Context& context);
void shape_external(YamlNode& node, const Path& path, Context& context);
void shape_health_test(YamlNode& node, const Path& path, Context& context);
void shape_file(YamlNode& node, const Path& path, Context& context);
void shape_driver_opts(YamlNode& node, const Path& path, Context& context);

// Words of which one is expected.
void check_restart(YamlNode& node, const Path& path, Context& context);
void check_pull_policy(YamlNode& node, const Path& path, Context& context);
void check_order(YamlNode& node, const Path& path, Context& context);
void check_attestation(YamlNode& node, const Path& path, Context& context);
void check_cgroup(YamlNode& node, const Path& path, Context& context);
void check_condition(YamlNode& node, const Path& path, Context& context);
void check_mount_type(YamlNode& node, const Path& path, Context& context);
void check_recursive(YamlNode& node, const Path& path, Context& context);
void check_selinux(YamlNode& node, const Path& path, Context& context);
void check_container_name(YamlNode& node, const Path& path, Context& context);

}  // namespace compose
