// As much of HTTP/1.1 as `serve` and `load` say to each other: one request a connection, bodies
// with a length. Errors are std::runtime_error with what the system said.
#pragma once

#include <string>

namespace payload {

struct Request {
  std::string method, target, body;
};

// Listens on all addresses; the descriptor of the listener.
int listen_on(int port);
// Reads one request from a connection; throws when it is none.
Request read_request(int connection);
void answer(int connection, int status, const std::string& body);

// Sends one request to "http://HOST:PORT" and returns the body of a 200.
struct Target {
  std::string host, port;
};
Target parse_target(const std::string& url);
std::string ask(const Target& target, const Request& request);

}  // namespace payload
