// HTTP/1.1 to a container engine, over its unix socket or plain tcp. Short requests share a pool of
// kept-alive connections, each used by one request at a time: a slow one never holds up another.
// Streams (attach, wait, events) have a connection of their own.
//
// Nothing here repeats a request: whoever knows what a request does decides that from HttpError. A
// cancellation from outside is thrown as boost::system::system_error (operation_aborted) and closes
// the connection that was in use.
#pragma once

#include <map>
#include <memory>
#include <stdexcept>

#include "container/async.hpp"
#include "container/endpoint.hpp"

namespace boost::asio {
class io_context;
}

namespace container {

struct HttpRequest {
  std::string method = "GET";
  std::string target;
  std::string body = {};
  std::string content_type = "application/json";  // of the body
  bool upgrade = false;                           // ask for the raw connection, "Upgrade: tcp"
  double timeout =
      60;  // seconds to the end of the response; for a stream, to the end of its header
};

struct HttpResponse {
  int status = 0;
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
  std::string header(const std::string& lower_case_name) const;
};

// No usable response: not connected, cut, or too late.
class HttpError : public std::runtime_error {
 public:
  enum class Stage {
    unsent,    // not one byte of the request left: repeating it is safe
    kept,      // sent on a kept-alive connection that broke before the first byte of an answer
    answering  // anything later; or sent on a fresh connection
  };
  HttpError(Stage where, const std::string& what) : std::runtime_error(what), stage(where) {}
  Stage stage;
};

struct HttpConnection;

// A response whose header has been read and whose body comes in pieces.
class HttpStream {
 public:
  explicit HttpStream(std::shared_ptr<HttpConnection> connection);
  HttpStream(const HttpStream&) = delete;
  HttpStream& operator=(const HttpStream&) = delete;
  ~HttpStream();  // closes
  void close();   // a read in progress ends with operation_aborted

  int status() const;
  // The next piece, never empty; nullopt at the proper end. Throws HttpError when the body was cut,
  // or when nothing came for `idle_seconds` (0 = wait for ever).
  Task<std::optional<std::string>> read(double idle_seconds = 0);
  // The rest, at most `limit` bytes of it.
  Task<std::string> read_all(double idle_seconds, std::size_t limit);
  // Of a raw connection (status 101), also while a read goes on. Throws HttpError; what has come
  // can still be read then.
  Task<> write(std::string bytes);
  void close_writing();  // the other side reads the end; reading goes on

 private:
  std::shared_ptr<HttpConnection>
      connection_;  // shared with a read in progress, which must outlive this object
};

struct HttpOptions {
  Endpoint endpoint;
  double connect_timeout = 5;  // seconds
};

class HttpClient {
 public:
  HttpClient(boost::asio::io_context& io, const HttpOptions& options);
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;
  ~HttpClient();

  Task<HttpResponse> request(HttpRequest request);
  Task<std::unique_ptr<HttpStream>> open(HttpRequest request);

  // Grows whenever a connection was lost: what was learnt about the engine may be out of date.
  // Drops kept connections that the engine has closed meanwhile.
  std::size_t losses();
  std::size_t connects() const;  // connections opened so far
  // Connections that are there now serve no further request.
  void renew();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace container
