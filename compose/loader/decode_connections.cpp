#include "compose/loader/decode.hpp"
#include "compose/loader/decode_read.hpp"

namespace compose {
namespace {

constexpr std::string_view of_container = "container:";

Attachment attachment_of(const YamlNode& node) {
  Attachment attachment;
  read(node, "aliases", attachment.aliases);
  read(node, "ipv4_address", attachment.ipv4_address);
  read(node, "ipv6_address", attachment.ipv6_address);
  read(node, "mac_address", attachment.mac_address);
  read(node, "interface_name", attachment.interface_name);
  read(node, "link_local_ips", attachment.link_local_ips);
  read(node, "priority", attachment.priority);
  read(node, "gw_priority", attachment.gw_priority);
  read(node, "driver_opts", attachment.driver_opts);
  return attachment;
}

Port port_of(const YamlNode& node) {
  Port port;
  read(node, "mode", port.mode);
  read(node, "host_ip", port.host_ip);
  read(node, "target", port.target);
  read(node, "published", port.published);
  read(node, "protocol", port.protocol);
  read(node, "name", port.name);
  read(node, "app_protocol", port.app_protocol);
  return port;
}

Link link_of(const std::string& text) {
  const std::size_t colon = text.find(':');
  const std::string name = text.substr(0, colon);
  const std::string alias = colon == text.npos ? "" : text.substr(colon + 1);
  return {.name = name, .alias = alias.empty() ? name : alias};
}

VolumesFrom volumes_from(std::string_view text) {
  VolumesFrom from;
  const bool container = text.starts_with(of_container);
  if (container) text.remove_prefix(of_container.size());
  const std::size_t colon = text.find(':');
  (container ? from.container : from.service) = std::string(text.substr(0, colon));
  from.read_only = colon != text.npos && text.substr(colon + 1) == "ro";
  return from;
}

Dependency dependency_of(const YamlNode& node) {
  Dependency dependency;
  const std::string_view condition = node.word("condition");
  if (condition == text(Condition::healthy)) dependency.condition = Condition::healthy;
  if (condition == text(Condition::completed_successfully))
    dependency.condition = Condition::completed_successfully;
  read(node, "required", dependency.required);
  read(node, "restart", dependency.restart);
  return dependency;
}

// "name=address" as the engine takes it.
Strings hosts(const YamlNode& list) {
  Strings hosts;
  for (const YamlNode& item : list.items) {
    std::string text = item.text;
    if (const std::size_t equals = text.find('='); equals != text.npos) text[equals] = ':';
    hosts.push_back(std::move(text));
  }
  return hosts;
}

}  // namespace

void decode_connections(const YamlNode& node, Service& service) {
  read(node, "hostname", service.hostname);
  read(node, "domainname", service.domainname);
  read(node, "network_mode", service.network_mode);
  read(node, "mac_address", service.mac_address);
  for (const Member& entry : member(node, "networks").members)
    service.networks[entry.key] = attachment_of(entry.value);
  for (const YamlNode& port : member(node, "ports").items) service.ports.push_back(port_of(port));
  read(node, "expose", service.expose);
  for (const Member& entry : member(node, "depends_on").members)
    service.depends_on[entry.key] = dependency_of(entry.value);
  for (const YamlNode& link : member(node, "links").items)
    service.links.push_back(link_of(link.text));
  for (const YamlNode& link : member(node, "external_links").items)
    service.external_links.push_back(link_of(link.text));
  for (const YamlNode& from : member(node, "volumes_from").items)
    service.volumes_from.push_back(volumes_from(from.text));
  service.extra_hosts = hosts(member(node, "extra_hosts"));
  read(node, "dns", service.dns);
  read(node, "dns_search", service.dns_search);
  read(node, "dns_opt", service.dns_opt);
}

}  // namespace compose
