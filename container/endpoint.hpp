// Which engine to talk to: DOCKER_HOST, DOCKER_CONTEXT, config.json's current context, then the
// default sockets
// (/var/run/docker.sock, $XDG_RUNTIME_DIR/docker.sock, podman's). No shell, no docker CLI.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace container {

struct Endpoint {
  enum class Kind { unix_socket, tcp } kind = Kind::unix_socket;
  std::string path;  // unix socket
  std::string host;  // tcp
  std::string port;
  std::string source;        // "DOCKER_HOST", "context desktop", "default socket"
  std::string text() const;  // "unix:///var/run/docker.sock"
};

struct EndpointSearch {
  std::function<std::optional<std::string>(const std::string&)> environment;
  std::string explicit_host;  // from the campaign file or command line; wins
};

// Throws std::runtime_error with what to do (ssh://, TLS).
Endpoint parse_endpoint(const std::string& url);
// The endpoint to use: what is said wins even if nothing listens there; else the first default
// socket that accepts. nullopt: nothing is said and no default socket accepts. `tried` says what
// was looked at.
std::optional<Endpoint> find_endpoint(const EndpointSearch& search,
                                      std::vector<std::string>* tried = nullptr);

}  // namespace container
