// Short forms of compose files and the long ones that they stand for.
#pragma once

#include "compose/loader/fields.hpp"

namespace compose {

void shape_ports(Node& node, const Path& path, Context& context);
void shape_volumes(Node& node, const Path& path, Context& context);
void shape_networks(Node& node, const Path& path, Context& context);
void shape_depends_on(Node& node, const Path& path, Context& context);
void shape_env_file(Node& node, const Path& path, Context& context);
void shape_label_file(Node& node, const Path& path, Context& context);
void shape_build(Node& node, const Path& path, Context& context);
void shape_build_contexts(Node& node, const Path& path, Context& context);
void shape_extends(Node& node, const Path& path, Context& context);
void shape_include(Node& node, const Path& path, Context& context);
void shape_gpus(Node& node, const Path& path, Context& context);
void shape_device_count(Node& node, const Path& path, Context& context);
void shape_devices(Node& node, const Path& path, Context& context);
void shape_secret_grants(Node& node, const Path& path, Context& context);
void shape_config_grants(Node& node, const Path& path, Context& context);
void shape_mode(Node& node, const Path& path, Context& context);
void shape_mount_mode(Node& node, const Path& path, Context& context);
void shape_ulimits(Node& node, const Path& path, Context& context);
void shape_extra_hosts(Node& node, const Path& path, Context& context);
void shape_external(Node& node, const Path& path, Context& context);
void shape_health_test(Node& node, const Path& path, Context& context);
void shape_file(Node& node, const Path& path, Context& context);
void shape_driver_opts(Node& node, const Path& path, Context& context);

// Words of which one is expected.
void check_restart(Node& node, const Path& path, Context& context);
void check_pull_policy(Node& node, const Path& path, Context& context);
void check_cgroup(Node& node, const Path& path, Context& context);
void check_condition(Node& node, const Path& path, Context& context);
void check_mount_type(Node& node, const Path& path, Context& context);
void check_recursive(Node& node, const Path& path, Context& context);
void check_selinux(Node& node, const Path& path, Context& context);
void check_container_name(Node& node, const Path& path, Context& context);

}  // namespace compose
