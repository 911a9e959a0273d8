// The canonical form as a Project.
#pragma once

#include "compose/loader/environment.hpp"

namespace compose {

struct DecodeRequest {
  const Surroundings& around;
  std::string home;
  Findings& findings;
  Sources& sources;
};

// `project` has been checked and completed; it is not tidied yet.
Project decode(const YamlNode& project, const DecodeRequest& request);

// Its parts, a file each.
void decode_container(const YamlNode& node, Service& service);  // what runs: image, command, files
void decode_connections(const YamlNode& node, Service& service);  // networks, ports, other services
void decode_limits(const YamlNode& node, Service& service);
void decode_security(const YamlNode& node, const std::string& path, Service& service,
                     const DecodeRequest& request);

}  // namespace compose
