#include "tests/support/container/scripted_engine.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <condition_variable>
#include <cstring>
#include <filesystem>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <thread>

namespace container::test {

namespace {

struct Client {
  int fd = -1;
  int number = 0;
  bool silent = false;
  std::string received;
};

void send_all(int fd, const std::string& bytes) {
  std::size_t sent = 0;
  while (sent < bytes.size()) {
    const auto n = ::send(fd, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (n <= 0) return;
    sent += static_cast<std::size_t>(n);
  }
}

std::optional<ScriptedRequest> take_request(Client& client) {
  const auto head_end = client.received.find("\r\n\r\n");
  if (head_end == std::string::npos) return std::nullopt;
  const auto head = client.received.substr(0, head_end);
  std::size_t length = 0;
  if (const auto at = head.find("Content-Length: "); at != std::string::npos)
    length = std::stoul(head.substr(at + 16));
  if (client.received.size() < head_end + 4 + length) return std::nullopt;
  ScriptedRequest request;
  const auto first = head.find(' ');
  const auto second = head.find(' ', first + 1);
  request.method = head.substr(0, first);
  request.target = head.substr(first + 1, second - first - 1);
  request.body = client.received.substr(head_end + 4, length);
  request.connection = client.number;
  client.received.erase(0, head_end + 4 + length);
  return request;
}

std::string head(int status, const std::vector<std::string>& headers) {
  std::string text = "HTTP/1.1 " + std::to_string(status) + " Scripted\r\n";
  for (const auto& header : headers) text += header + "\r\n";
  return text;
}

std::string chunks(const std::vector<std::string>& pieces) {
  std::string text;
  for (const auto& piece : pieces) {
    char size[24];
    std::snprintf(size, sizeof(size), "%zx\r\n", piece.size());
    text += size + piece + "\r\n";
  }
  return text;
}

}  // namespace

ScriptedReply answer(int status, const std::string& body, const std::vector<std::string>& headers) {
  ScriptedReply reply;
  reply.bytes =
      head(status, headers) + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  return reply;
}

ScriptedReply chunked(int status, const std::vector<std::string>& pieces) {
  ScriptedReply reply;
  reply.bytes =
      head(status, {"Transfer-Encoding: chunked"}) + "\r\n" + chunks(pieces) + "0\r\n\r\n";
  return reply;
}

ScriptedReply cut(int status, const std::vector<std::string>& pieces) {
  ScriptedReply reply;
  reply.bytes = head(status, {"Transfer-Encoding: chunked"}) + "\r\n" + chunks(pieces);
  reply.then = ScriptedReply::Then::close;
  return reply;
}

ScriptedReply pong(const std::string& api_version, const std::vector<std::string>& headers) {
  auto all = headers;
  all.push_back("Api-Version: " + api_version);
  return answer(200, "", all);
}

struct ScriptedEngine::Impl {
  Handler handler;
  Endpoint endpoint;
  std::filesystem::path folder;
  int listener = -1;
  int wake[2] = {-1, -1};
  std::vector<Client> clients;
  int accepted = 0;
  mutable std::mutex mutex;
  std::condition_variable closed;
  bool stopping = false, closing = false;
  std::vector<ScriptedRequest> seen;
  std::thread thread;

  void listen_on(Transport transport) {
    if (transport == Transport::tcp) {
      listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      sockaddr_in address{};
      address.sin_family = AF_INET;
      address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      socklen_t size = sizeof(address);
      ::bind(listener, reinterpret_cast<sockaddr*>(&address), size);
      ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
      endpoint.kind = Endpoint::Kind::tcp;
      endpoint.host = "127.0.0.1";
      endpoint.port = std::to_string(ntohs(address.sin_port));
    } else {
      std::string pattern = (std::filesystem::temp_directory_path() / "scripted-XXXXXX").string();
      if (!::mkdtemp(pattern.data())) throw std::runtime_error("no temporary folder");
      folder = pattern;
      endpoint.path = (folder / "engine.sock").string();
      listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
      sockaddr_un address{};
      address.sun_family = AF_UNIX;
      std::memcpy(address.sun_path, endpoint.path.c_str(), endpoint.path.size() + 1);
      ::bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof(address));
    }
    if (::listen(listener, 16) != 0) throw std::runtime_error("the scripted engine cannot listen");
  }

  void serve(Client& client) {
    while (client.fd >= 0 && !client.silent) {
      const auto request = take_request(client);
      if (!request) return;
      {
        const std::lock_guard lock(mutex);
        seen.push_back(*request);
      }
      const auto reply = handler(*request);
      send_all(client.fd, reply.bytes);
      client.silent = reply.then == ScriptedReply::Then::hold;
      if (reply.then == ScriptedReply::Then::close) drop(client);
    }
  }

  static void drop(Client& client) {
    ::close(client.fd);
    client.fd = -1;
  }

  void receive(Client& client) {
    char bytes[65536];
    const auto n = ::recv(client.fd, bytes, sizeof(bytes), 0);
    if (n <= 0) return drop(client);
    client.received.append(bytes, static_cast<std::size_t>(n));
    serve(client);
  }

  bool obey() {
    char bytes[64];
    if (::read(wake[0], bytes, sizeof(bytes)) < 0) return false;
    const std::lock_guard lock(mutex);
    if (closing) {
      for (auto& client : clients) drop(client);
      clients.clear();
      closing = false;
      closed.notify_all();
    }
    return !stopping;
  }

  void run() {
    for (;;) {
      std::vector<pollfd> fds = {{wake[0], POLLIN, 0}, {listener, POLLIN, 0}};
      for (const auto& client : clients) fds.push_back({client.fd, POLLIN, 0});
      ::poll(fds.data(), fds.size(), -1);
      for (std::size_t i = 0; i < clients.size(); ++i) {
        if (fds[i + 2].revents != 0) receive(clients[i]);
      }
      std::erase_if(clients, [](const Client& client) { return client.fd < 0; });
      if (fds[1].revents != 0) {
        Client client;
        client.fd = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
        client.number = ++accepted;
        clients.push_back(client);
      }
      if (fds[0].revents != 0 && !obey()) return;
    }
  }

  void tell() {
    const char byte = 1;
    if (::write(wake[1], &byte, 1) != 1)
      throw std::runtime_error("the scripted engine cannot be told");
  }
};

ScriptedEngine::ScriptedEngine(Handler handler, Transport transport)
    : impl_(std::make_unique<Impl>()) {
  impl_->handler = std::move(handler);
  impl_->listen_on(transport);
  if (::pipe(impl_->wake) != 0) throw std::runtime_error("no pipe");
  impl_->thread = std::thread([this] { impl_->run(); });
}

ScriptedEngine::~ScriptedEngine() {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->stopping = true;
  }
  impl_->tell();
  impl_->thread.join();
  for (const auto& client : impl_->clients) ::close(client.fd);
  for (const int fd : {impl_->listener, impl_->wake[0], impl_->wake[1]}) ::close(fd);
  std::error_code ignored;
  if (!impl_->folder.empty()) std::filesystem::remove_all(impl_->folder, ignored);
}

Endpoint ScriptedEngine::endpoint() const { return impl_->endpoint; }

std::vector<ScriptedRequest> ScriptedEngine::requests() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->seen;
}

std::vector<std::string> ScriptedEngine::lines() const {
  std::vector<std::string> all;
  for (const auto& request : requests()) {
    if (request.target != "/_ping") all.push_back(request.method + " " + request.target);
  }
  return all;
}

void ScriptedEngine::close_connections() {
  std::unique_lock lock(impl_->mutex);
  impl_->closing = true;
  impl_->tell();
  impl_->closed.wait(lock, [this] { return !impl_->closing; });
}

}  // namespace container::test
