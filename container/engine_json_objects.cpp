#include <nlohmann/json.hpp>

#include "container/engine_json.hpp"
#include "container/engine_json_fields.hpp"

namespace container::engine_json {

namespace {

NetworkInfo read_network(const json& said) {
  NetworkInfo info{.id = text(said, "Id"),
                   .name = text(said, "Name"),
                   .driver = text(said, "Driver"),
                   .labels = text_map(said, "Labels"),
                   .containers = {}};
  const json& containers = at(said, "Containers");
  if (!containers.is_object()) return info;
  for (const auto& [id, ignored] : containers.items()) info.containers.push_back(id);
  return info;
}

VolumeInfo read_volume(const json& said) {
  return {.name = text(said, "Name"),
          .driver = text(said, "Driver"),
          .mountpoint = text(said, "Mountpoint"),
          .labels = text_map(said, "Labels")};
}

json pool(const AddressPool& said) {
  json one = {{"Subnet", said.subnet}};
  if (!said.gateway.empty()) one["Gateway"] = said.gateway;
  if (!said.ip_range.empty()) one["IPRange"] = said.ip_range;
  if (!said.auxiliary.empty()) one["AuxiliaryAddresses"] = said.auxiliary;
  return one;
}

}  // namespace

json endpoint(const NetworkAttachment& attachment) {
  json one = json::object();
  if (!attachment.aliases.empty()) one["Aliases"] = attachment.aliases;
  if (!attachment.ipv4.empty()) one["IPAMConfig"]["IPv4Address"] = attachment.ipv4;
  if (!attachment.ipv6.empty()) one["IPAMConfig"]["IPv6Address"] = attachment.ipv6;
  if (!attachment.link_local_ips.empty())
    one["IPAMConfig"]["LinkLocalIPs"] = attachment.link_local_ips;
  if (!attachment.mac_address.empty()) one["MacAddress"] = attachment.mac_address;
  if (!attachment.links.empty()) one["Links"] = attachment.links;
  if (!attachment.driver_options.empty()) one["DriverOpts"] = attachment.driver_options;
  return one;
}

std::string network_body(const NetworkSpec& spec) {
  json body = {{"Name", spec.name},         {"CheckDuplicate", true},
               {"Labels", spec.labels},     {"Options", spec.options},
               {"Internal", spec.internal}, {"Attachable", spec.attachable},
               {"EnableIPv6", spec.ipv6}};
  if (!spec.driver.empty()) body["Driver"] = spec.driver;
  json ipam = json::object();
  if (!spec.ipam_driver.empty()) ipam["Driver"] = spec.ipam_driver;
  if (!spec.ipam_options.empty()) ipam["Options"] = spec.ipam_options;
  for (const auto& one : spec.pools) ipam["Config"].push_back(pool(one));
  if (!ipam.empty()) body["IPAM"] = std::move(ipam);
  return dump(body, "the network's specification");
}

std::string connect_body(const NetworkAttachment& attachment, const std::string& container) {
  return dump({{"Container", container}, {"EndpointConfig", endpoint(attachment)}},
              "the attachment to a network");
}

std::string disconnect_body(const std::string& container) {
  return dump({{"Container", container}, {"Force", true}}, "the container's id");
}

std::string volume_body(const VolumeSpec& spec) {
  json body = {{"Name", spec.name}, {"Labels", spec.labels}, {"DriverOpts", spec.options}};
  if (!spec.driver.empty()) body["Driver"] = spec.driver;
  return dump(body, "the volume's specification");
}

std::string exec_body(const ExecSpec& spec) {
  json body = {{"AttachStdin", spec.input},     {"AttachStdout", spec.output},
               {"AttachStderr", spec.output},   {"Tty", spec.terminal},
               {"Privileged", spec.privileged}, {"Cmd", spec.command}};
  if (!spec.env.empty()) body["Env"] = spec.env;
  if (!spec.user.empty()) body["User"] = spec.user;
  if (!spec.working_dir.empty()) body["WorkingDir"] = spec.working_dir;
  return dump(body, "the command");
}

std::string exec_start_body(ExecStart how) {
  return dump({{"Detach", how == ExecStart::detached}, {"Tty", how == ExecStart::terminal}},
              "the start of a command");
}

NetworkInfo network(const std::string& body) { return read_network(parse(body)); }

std::vector<NetworkInfo> networks(const std::string& body) {
  std::vector<NetworkInfo> all;
  const json parsed = parse(body);
  if (!parsed.is_array()) return all;
  for (const auto& one : parsed) all.push_back(read_network(one));
  return all;
}

VolumeInfo volume(const std::string& body) { return read_volume(parse(body)); }

std::vector<VolumeInfo> volumes(const std::string& body) {
  std::vector<VolumeInfo> all;
  const json parsed = parse(body);
  const json& list = at(parsed, "Volumes");
  if (!list.is_array()) return all;
  for (const auto& one : list) all.push_back(read_volume(one));
  return all;
}

ExecState exec(const std::string& body) {
  const json parsed = parse(body);
  const json& process = at(parsed, "ProcessConfig");
  ExecState state;
  state.id = text(parsed, "ID");
  state.container = text(parsed, "ContainerID");
  state.running = flag(parsed, "Running");
  const json& code = at(parsed, "ExitCode");
  if (!state.running && code.is_number_integer()) state.exit_code = code.get<int>();
  state.pid = integer(parsed, "Pid");
  const auto program = text(process, "entrypoint");
  if (!program.empty()) state.arguments.push_back(program);
  for (auto& argument : texts(process, "arguments")) state.arguments.push_back(std::move(argument));
  return state;
}

}  // namespace container::engine_json
