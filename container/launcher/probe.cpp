#include "container/launcher/probe.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "container/launcher/clocks.hpp"
#include "container/launcher/options.hpp"

namespace container::launcher {
namespace {

struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;
};

bool numeric(const std::string& host, const std::string& port, Address& address) {
  const auto number = htons(static_cast<std::uint16_t>(std::atoi(port.c_str())));
  sockaddr_in four{};
  sockaddr_in6 six{};
  if (inet_pton(AF_INET, host.c_str(), &four.sin_addr) == 1) {
    four.sin_family = AF_INET;
    four.sin_port = number;
    memcpy(&address.storage, &four, sizeof four);
    address.size = sizeof four;
    return true;
  }
  if (inet_pton(AF_INET6, host.c_str(), &six.sin6_addr) != 1) return false;
  six.sin6_family = AF_INET6;
  six.sin6_port = number;
  memcpy(&address.storage, &six, sizeof six);
  address.size = sizeof six;
  return true;
}

std::vector<std::string> in_hosts_file(const std::string& host) {
  std::vector<std::string> found;
  FILE* file = fopen("/etc/hosts", "re");
  char line[1024];
  while (file && fgets(line, sizeof line, file)) {
    line[strcspn(line, "#\n")] = 0;
    char* rest = nullptr;
    const char* address = strtok_r(line, " \t", &rest);
    while (const char* name = address ? strtok_r(nullptr, " \t", &rest) : nullptr)
      if (host == name) found.emplace_back(address);
  }
  if (file) fclose(file);
  return found;
}

// A static program has no resolver: numbers, localhost and /etc/hosts are what it knows.
std::vector<Address> addresses(const ProbeOptions& options) {
  std::vector<std::string> names = in_hosts_file(options.host);
  if (options.host == "localhost" && names.empty()) names = {"127.0.0.1", "::1"};
  if (names.empty()) names = {options.host};
  std::vector<Address> all;
  for (const std::string& name : names) {
    Address address;
    if (numeric(name, options.port, address)) all.push_back(address);
  }
  return all;
}

class Deadline {
 public:
  explicit Deadline(std::int64_t length_ns) : end_(monotonic_ns() + length_ns) {}
  bool ready(int fd, short events) const {
    const std::int64_t left = (end_ - monotonic_ns()) / 1'000'000;
    pollfd target{.fd = fd, .events = events, .revents = 0};
    return left > 0 && poll(&target, 1, static_cast<int>(left)) > 0;
  }

 private:
  std::int64_t end_;
};

std::string connected(int fd, const Address& address, const Deadline& deadline) {
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address.storage), address.size) == 0)
    return "";
  if (errno != EINPROGRESS) return strerror(errno);
  if (!deadline.ready(fd, POLLOUT)) return "no connection in time";
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
  return error == 0 ? "" : strerror(error);
}

std::string status_line(int fd, const Deadline& deadline) {
  std::string text;
  char piece[512];
  while (text.find('\n') == std::string::npos && text.size() < 4096) {
    if (!deadline.ready(fd, POLLIN)) return "";
    const ssize_t n = read(fd, piece, sizeof piece);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (n <= 0) return "";
    text.append(piece, static_cast<std::size_t>(n));
  }
  return text.substr(0, text.find_first_of("\r\n"));
}

std::string asked(int fd, const ProbeOptions& options, const Deadline& deadline) {
  const std::string host =
      options.host.find(':') == std::string::npos ? options.host : "[" + options.host + "]";
  const std::string request = "GET " + options.path + " HTTP/1.1\r\nHost: " + host + ":" +
                              options.port +
                              "\r\nUser-Agent: campaignctl-launch\r\nAccept: */*\r\n"
                              "Connection: close\r\n\r\n";
  if (send(fd, request.data(), request.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(request.size()))
    return "the request could not be sent";
  const std::string line = status_line(fd, deadline);
  int status = 0;
  if (sscanf(line.c_str(), "HTTP/%*d.%*d %d", &status) != 1)
    return line.empty() ? "no answer in time" : "no HTTP answer: " + line.substr(0, 80);
  return status >= 200 && status < 400 ? "" : "the answer is " + line.substr(0, 80);
}

}  // namespace

std::string probe(const ProbeOptions& options) {
  const Deadline deadline(options.timeout_ns);
  std::string why = options.host + " is no address, and /etc/hosts has no such name";
  for (const Address& address : addresses(options)) {
    const int fd = socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
      why = strerror(errno);
      continue;
    }
    why = connected(fd, address, deadline);
    if (why.empty() && options.protocol == ProbeOptions::Protocol::http)
      why = asked(fd, options, deadline);
    close(fd);
    if (why.empty()) break;
  }
  return why;
}

}  // namespace container::launcher
