#include "http.hpp"

#include <arpa/inet.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <stdexcept>

namespace payload {
namespace {

constexpr std::size_t largest_head = 64 << 10, largest_body = 1 << 20;

[[noreturn]] void fail(const std::string& what) {
  throw std::runtime_error(what + ": " + std::strerror(errno));
}

void send_all(int socket, const std::string& text) {
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t count = send(socket, text.data() + done, text.size() - done, MSG_NOSIGNAL);
    if (count < 0 && errno != EINTR) fail("send");
    if (count > 0) done += static_cast<std::size_t>(count);
  }
}

// A head and a body as long as the head says.
struct Message {
  std::string head, body;
};

std::size_t length_in(const std::string& head) {
  for (const char* name : {"Content-Length: ", "content-length: "}) {
    const auto at = head.find(name);
    if (at != head.npos) return std::strtoull(head.c_str() + at + std::strlen(name), nullptr, 10);
  }
  return 0;
}

Message receive(int socket) {
  std::string text;
  std::size_t end = text.npos, wanted = 0;
  while (end == text.npos || text.size() < end + 4 + wanted) {
    char buffer[4096];
    const ssize_t count = recv(socket, buffer, sizeof buffer, 0);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail("receive");
    if (count == 0) throw std::runtime_error("the connection was closed in a message");
    text.append(buffer, static_cast<std::size_t>(count));
    if (end == text.npos) end = text.find("\r\n\r\n");
    if (end != text.npos) wanted = length_in(text.substr(0, end));
    if (wanted > largest_body || (end == text.npos && text.size() > largest_head))
      throw std::runtime_error("a message that is too long");
  }
  return {text.substr(0, end), text.substr(end + 4, wanted)};
}

int connect_to(const Target& target) {
  addrinfo hints{}, *found = nullptr;
  hints.ai_socktype = SOCK_STREAM;
  if (const int code = getaddrinfo(target.host.c_str(), target.port.c_str(), &hints, &found))
    throw std::runtime_error(target.host + ": " + gai_strerror(code));
  int connection = -1;
  for (const addrinfo* at = found; at != nullptr && connection < 0; at = at->ai_next) {
    connection = socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC, at->ai_protocol);
    if (connection >= 0 && connect(connection, at->ai_addr, at->ai_addrlen) != 0) {
      close(connection);
      connection = -1;
    }
  }
  freeaddrinfo(found);
  if (connection < 0) fail(target.host + ":" + target.port);
  return connection;
}

}  // namespace

int listen_on(int port) {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int yes = 1;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_ANY);
  if (listener < 0) fail("socket");
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      listen(listener, 512) != 0)
    fail("port " + std::to_string(port));
  return listener;
}

Request read_request(int connection) {
  Message message = receive(connection);
  const auto first = message.head.find(' '), second = message.head.find(' ', first + 1);
  if (second == message.head.npos) throw std::runtime_error("no request");
  return {message.head.substr(0, first), message.head.substr(first + 1, second - first - 1),
          std::move(message.body)};
}

void answer(int connection, int status, const std::string& body) {
  const char* reason = status == 200 ? "OK" : status == 404 ? "Not Found" : "Bad Request";
  send_all(connection, "HTTP/1.1 " + std::to_string(status) + " " + reason +
                           "\r\nContent-Type: application/json\r\nConnection: close\r\n" +
                           "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
}

Target parse_target(const std::string& url) {
  const std::string scheme = "http://";
  std::string place = url.starts_with(scheme) ? url.substr(scheme.size()) : url;
  place = place.substr(0, place.find('/'));
  const auto colon = place.rfind(':');
  if (colon == place.npos) return {place, "80"};
  return {place.substr(0, colon), place.substr(colon + 1)};
}

std::string ask(const Target& target, const Request& request) {
  const int connection = connect_to(target);
  Message message;
  try {
    send_all(connection,
             request.method + " " + request.target + " HTTP/1.1\r\nHost: " + target.host +
                 "\r\nConnection: close\r\nContent-Length: " + std::to_string(request.body.size()) +
                 "\r\n\r\n" + request.body);
    message = receive(connection);
  } catch (...) {
    close(connection);
    throw;
  }
  close(connection);
  if (message.head.find(" 200 ") == message.head.npos)
    throw std::runtime_error("the server answered " + message.head.substr(0, 40));
  return message.body;
}

}  // namespace payload
