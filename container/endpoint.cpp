#include "container/endpoint.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "container/digest.hpp"

namespace container {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr char forward_hint[] =
    "forward the engine's socket, `ssh -N -L /tmp/engine.sock:/var/run/docker.sock USER@HOST`, and "
    "use "
    "unix:///tmp/engine.sock";

[[noreturn]] void refuse(const std::string& url, const std::string& why) {
  throw std::runtime_error("engine endpoint '" + url + "': " + why);
}

Endpoint unix_endpoint(const std::string& url, const std::string& path) {
  if (path.empty() || path.front() != '/')
    refuse(url, "a unix socket needs an absolute path, as in unix:///var/run/docker.sock");
  if (path.size() >= sizeof(sockaddr_un::sun_path)) {
    refuse(url, "the path is longer than the " + std::to_string(sizeof(sockaddr_un::sun_path) - 1) +
                    " bytes that a unix socket's address can hold; use a shorter link to it");
  }
  Endpoint endpoint;
  endpoint.path = path;
  return endpoint;
}

Endpoint tcp_endpoint(const std::string& url, std::string authority) {
  if (const auto slash = authority.find('/'); slash != std::string::npos) {
    if (slash + 1 != authority.size()) refuse(url, "a path after the port is not supported");
    authority.resize(slash);
  }
  Endpoint endpoint;
  endpoint.kind = Endpoint::Kind::tcp;
  endpoint.port = "2375";
  const bool bracketed = !authority.empty() && authority.front() == '[';
  const auto closing = authority.find(']');
  if (bracketed && closing == std::string::npos)
    refuse(url, "the '[' of an IPv6 address is not closed");
  const auto colon = authority.find(':', bracketed ? closing : 0);
  if (colon != std::string::npos) {
    endpoint.port = authority.substr(colon + 1);
    authority.resize(colon);
  }
  endpoint.host = bracketed ? authority.substr(1, closing - 1) : authority;
  const bool digits = endpoint.port.find_first_not_of("0123456789") == std::string::npos;
  if (endpoint.host.empty()) refuse(url, "no host is named; write tcp://HOST:PORT");
  if (endpoint.port.empty() || endpoint.port.size() > 5 || !digits ||
      std::stoi(endpoint.port) < 1 || std::stoi(endpoint.port) > 65535) {
    refuse(url, "'" + endpoint.port + "' is not a port (1 to 65535)");
  }
  return endpoint;
}

std::optional<json> read_json(const fs::path& file) {
  std::ifstream in(file);
  if (!in) return std::nullopt;
  json parsed = json::parse(in, nullptr, false);
  if (!parsed.is_object())
    throw std::runtime_error(file.string() + ": not a JSON object; repair or remove it");
  return parsed;
}

std::string text_at(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

class Search {
 public:
  Search(const EndpointSearch& what, std::vector<std::string>* tried)
      : what_(what), tried_(tried) {}

  std::optional<Endpoint> run() {
    if (!what_.explicit_host.empty()) return said(what_.explicit_host, "given");
    if (const auto host = variable("DOCKER_HOST"); !host.empty()) return said(host, "DOCKER_HOST");
    if (const auto name = variable("DOCKER_CONTEXT"); !name.empty())
      return context(name, "DOCKER_CONTEXT");
    if (const auto folder = config_folder(); !folder.empty()) {
      const auto config = read_json(folder / "config.json");
      const auto name = config ? text_at(*config, "currentContext") : std::string();
      if (!name.empty()) return context(name, (folder / "config.json").string());
    }
    return first_default();
  }

 private:
  std::string variable(const std::string& name) const {
    return what_.environment ? what_.environment(name).value_or("") : std::string();
  }

  void note(const std::string& text) {
    if (tried_) tried_->push_back(text);
  }

  fs::path config_folder() const {
    if (const auto folder = variable("DOCKER_CONFIG"); !folder.empty()) return folder;
    const auto home = variable("HOME");
    return home.empty() ? fs::path() : fs::path(home) / ".docker";
  }

  Endpoint said(const std::string& url, const std::string& source) {
    Endpoint endpoint = parse_endpoint(url);
    if (endpoint.kind == Endpoint::Kind::tcp && !variable("DOCKER_TLS_VERIFY").empty()) {
      refuse(url, std::string("DOCKER_TLS_VERIFY asks for TLS, which is not supported; ") +
                      forward_hint);
    }
    endpoint.source = source;
    note(endpoint.text() + " (" + source + ")");
    return endpoint;
  }

  std::optional<Endpoint> context(const std::string& name, const std::string& named_by) {
    if (name == "default") return first_default();
    const fs::path folder = config_folder();
    const std::string hash = sha256_hex(name);
    const fs::path meta = folder / "contexts" / "meta" / hash / "meta.json";
    const auto parsed = folder.empty() ? std::nullopt : read_json(meta);
    if (!parsed) {
      throw std::runtime_error("context '" + name + "' (named by " + named_by +
                               ") does not exist: no " + meta.string() +
                               "; see `docker context ls`, or set DOCKER_HOST");
    }
    const auto endpoints = parsed->value("Endpoints", json::object());
    const auto docker =
        endpoints.is_object() ? endpoints.value("docker", json::object()) : json::object();
    const std::string url = docker.is_object() ? text_at(docker, "Host") : std::string();
    if (url.empty()) throw std::runtime_error(meta.string() + ": names no Endpoints.docker.Host");
    Endpoint endpoint = parse_endpoint(url);
    if (endpoint.kind == Endpoint::Kind::tcp && fs::exists(folder / "contexts" / "tls" / hash)) {
      refuse(url, "context '" + name + "' asks for TLS, which is not supported; " + forward_hint);
    }
    endpoint.source = "context " + name;
    note(endpoint.text() + " (" + endpoint.source + ")");
    return endpoint;
  }

  static bool accepts(const std::string& path) {
    sockaddr_un address{};
    if (path.size() >= sizeof(address.sun_path)) return false;
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return false;
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    const int rc = ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
    const bool open = rc == 0 || errno == EAGAIN;
    ::close(fd);
    return open;
  }

  std::optional<Endpoint> first_default() {
    std::vector<std::string> paths = {"/var/run/docker.sock"};
    const auto runtime = variable("XDG_RUNTIME_DIR");
    if (!runtime.empty()) paths.push_back(runtime + "/docker.sock");
    paths.push_back("/run/podman/podman.sock");
    if (!runtime.empty()) paths.push_back(runtime + "/podman/podman.sock");
    for (const auto& path : paths) {
      note("unix://" + path + " (default socket)");
      if (!accepts(path)) continue;
      Endpoint endpoint;
      endpoint.path = path;
      endpoint.source = "default socket";
      return endpoint;
    }
    return std::nullopt;
  }

  const EndpointSearch& what_;
  std::vector<std::string>* tried_;
};

}  // namespace

std::string Endpoint::text() const {
  if (kind == Kind::unix_socket) return "unix://" + path;
  const bool v6 = host.find(':') != std::string::npos;
  return "tcp://" + (v6 ? "[" + host + "]" : host) + ":" + port;
}

Endpoint parse_endpoint(const std::string& url) {
  const auto scheme_end = url.find("://");
  if (scheme_end == std::string::npos) {
    if (!url.empty() && url.front() == '/') return unix_endpoint(url, url);
    if (url.find(':') != std::string::npos) return tcp_endpoint(url, url);
    refuse(url, "write unix:///PATH or tcp://HOST:PORT");
  }
  const auto scheme = url.substr(0, scheme_end);
  const auto rest = url.substr(scheme_end + 3);
  if (scheme == "unix") return unix_endpoint(url, rest);
  if (scheme == "tcp") return tcp_endpoint(url, rest);
  if (scheme == "ssh") refuse(url, std::string("ssh:// is not supported; ") + forward_hint);
  if (scheme == "https") refuse(url, std::string("TLS is not supported; ") + forward_hint);
  refuse(url, "'" + scheme + "://' is not supported; write unix:///PATH or tcp://HOST:PORT");
}

std::optional<Endpoint> find_endpoint(const EndpointSearch& search,
                                      std::vector<std::string>* tried) {
  return Search(search, tried).run();
}

}  // namespace container
