#include <cstdlib>
#include <cstring>

#include "container/launcher/options.hpp"

namespace container::launcher {
namespace {

bool is_port(const std::string& text) {
  if (text.empty() || text.size() > 5 || text.find_first_not_of("0123456789") != std::string::npos)
    return false;
  const int port = std::atoi(text.c_str());
  return port > 0 && port < 65536;
}

// HOST, HOST:PORT or [V6]:PORT; false: none of them.
bool split_authority(const std::string& text, ProbeOptions& options) {
  std::string rest;
  if (text.starts_with('[')) {
    const auto end = text.find(']');
    if (end == std::string::npos) return false;
    options.host = text.substr(1, end - 1);
    rest = text.substr(end + 1);
  } else {
    options.host = text.substr(0, text.find(':'));
    rest = text.substr(options.host.size());
  }
  if (options.host.empty()) return false;
  if (rest.empty()) return true;
  options.port = rest.substr(1);
  return rest[0] == ':' && is_port(options.port);
}

Parsed parse_url(const std::string& url, ProbeOptions options) {
  const bool http = url.starts_with("http://");
  UsageError wrong{"--probe '" + url + "': expected http://HOST:PORT/PATH or tcp://HOST:PORT"};
  if (!http && !url.starts_with("tcp://")) return wrong;
  const std::string rest = url.substr(http ? 7 : 6);
  const auto slash = rest.find('/');
  if (!split_authority(rest.substr(0, slash), options)) return wrong;
  options.path = slash == std::string::npos ? "/" : rest.substr(slash);
  if (options.path.find_first_of(" \r\n") != std::string::npos) return wrong;
  if (!http && (options.port.empty() || options.path != "/")) return wrong;
  if (options.port.empty()) options.port = "80";
  options.protocol = http ? ProbeOptions::Protocol::http : ProbeOptions::Protocol::tcp;
  return options;
}

Parsed parse_probe(int argc, char** argv) {
  ProbeOptions options;
  const char* url = nullptr;
  for (int i = 2; i < argc; ++i) {
    if (std::strcmp(argv[i], "--timeout") == 0 && i + 1 < argc) {
      if (!read_seconds(argv[++i], options.timeout_ns))
        return UsageError{std::string("--timeout '") + argv[i] + "': expected seconds, such as 5"};
    } else if (!url) {
      url = argv[i];
    } else {
      return UsageError{std::string("unexpected argument '") + argv[i] + "' after --probe"};
    }
  }
  if (!url) return UsageError{"--probe: the address is missing, such as tcp://localhost:8080"};
  return parse_url(url, options);
}

Parsed parse_stop(int argc, char** argv) {
  const std::string mode = argv[1];
  StopOptions options;
  using What = StopOptions::What;
  options.what = mode == "--stop" ? What::stop : mode == "--alive" ? What::look : What::fence;
  for (int i = 2; i < argc; ++i) {
    const std::string flag = argv[i];
    const bool known = flag == "--out" || (flag == "--grace" && options.what == What::stop);
    if (!known) return UsageError{"unexpected argument '" + flag + "' after " + mode};
    if (i + 1 >= argc) return UsageError{flag + ": its value is missing"};
    const char* value = argv[++i];
    if (flag == "--out") options.out = value;
    if (flag == "--grace" && !read_seconds(value, options.grace_ns))
      return UsageError{"--grace '" + std::string(value) +
                        "': expected seconds, such as 10 or 0.5"};
  }
  if (options.out.empty()) return UsageError{mode + ": --out DIR is missing"};
  return options;
}

}  // namespace

Parsed parse_mode(int argc, char** argv) {
  const std::string mode = argv[1];
  if (mode == "--probe") return parse_probe(argc, argv);
  if (mode != "--hold") return parse_stop(argc, argv);
  if (argc > 2)
    return UsageError{std::string("unexpected argument '") + argv[2] + "' after --hold"};
  return HoldOptions{};
}

}  // namespace container::launcher
