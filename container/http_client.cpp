#include "container/http_client.hpp"

#include <netinet/tcp.h>
#include <sys/socket.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <cstring>
#include <vector>

namespace container {

namespace net = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;
using net::generic::stream_protocol;

namespace {

constexpr auto as_result = net::as_tuple(net::use_awaitable);
constexpr std::size_t body_limit = 256U << 20;
constexpr std::size_t piece_size = 64U << 10;
constexpr std::size_t read_size = 16U << 10;
constexpr std::size_t idle_limit = 8;

std::chrono::nanoseconds span(double seconds) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
      std::chrono::duration<double>(seconds));
}

std::string number(double seconds) {
  std::string text = std::to_string(seconds);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text;
}

template <class Fields>
std::map<std::string, std::string> lower_case(const Fields& fields) {
  std::map<std::string, std::string> headers;
  for (const auto& field : fields) {
    std::string name(field.name_string());
    for (char& c : name) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
    headers.emplace(std::move(name), std::string(field.value()));
  }
  return headers;
}

}  // namespace

struct HttpConnection {
  HttpConnection(net::io_context& io, std::shared_ptr<std::size_t> losses)
      : stream(io.get_executor()), lost(std::move(losses)) {
    buffer.reserve(read_size);
  }

  bool closed_by_peer() {
    char byte = 0;
    const auto n = ::recv(stream.socket().native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return n >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
  }

  [[noreturn]] void fail(HttpError::Stage stage, error_code code, double timeout) {
    error_code ignored;
    stream.socket().close(ignored);
    if (code == net::error::operation_aborted) throw boost::system::system_error(code);
    ++*lost;
    if (code == beast::error::timeout)
      throw HttpError(HttpError::Stage::answering, "no answer within " + number(timeout) + " s");
    const bool ended = code == http::error::end_of_stream || code == http::error::partial_message ||
                       code == net::error::eof;
    throw HttpError(
        stage, ended ? "the connection was closed before the answer was complete" : code.message());
  }

  beast::basic_stream<stream_protocol> stream;
  beast::flat_buffer buffer;
  std::optional<http::response_parser<http::buffer_body>> parser;
  std::vector<char> piece;
  std::shared_ptr<std::size_t> lost;
  bool kept = false;
  std::size_t generation = 0;
};

using ConnectionPtr = std::shared_ptr<HttpConnection>;

namespace {

Task<> send(HttpConnection& connection, http::request<http::string_body>& message, double timeout) {
  const auto [code, bytes] = co_await http::async_write(connection.stream, message, as_result);
  if (!code) co_return;
  const bool unsent = bytes == 0 && code != beast::error::timeout;
  connection.fail(unsent ? HttpError::Stage::unsent : HttpError::Stage::answering, code, timeout);
}

HttpError::Stage stage_of(const HttpConnection& connection, bool got_some) {
  return connection.kept && !got_some ? HttpError::Stage::kept : HttpError::Stage::answering;
}

std::vector<stream_protocol::endpoint> addresses(
    const net::ip::tcp::resolver::results_type& found) {
  std::vector<stream_protocol::endpoint> all;
  for (const auto& entry : found) all.emplace_back(entry.endpoint());
  return all;
}

void tune_tcp(int fd) {
  const auto set = [fd](int level, int name, int value) {
    ::setsockopt(fd, level, name, &value, sizeof(value));
  };
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, 30);
  set(IPPROTO_TCP, TCP_KEEPINTVL, 10);
  set(IPPROTO_TCP, TCP_KEEPCNT, 3);
  set(IPPROTO_TCP, TCP_NODELAY, 1);
}

}  // namespace

struct HttpClient::Impl {
  Impl(net::io_context& context, const HttpOptions& given) : io(context), options(given) {}

  Task<std::vector<stream_protocol::endpoint>> resolve() {
    const auto& endpoint = options.endpoint;
    if (endpoint.kind == Endpoint::Kind::unix_socket) {
      std::vector<stream_protocol::endpoint> one;
      one.emplace_back(net::local::stream_protocol::endpoint(endpoint.path));
      co_return one;
    }
    net::ip::tcp::resolver resolver(io);
    error_code code;
    if (const auto address = net::ip::make_address(endpoint.host, code); !code) {
      const auto port = static_cast<unsigned short>(std::stoi(endpoint.port));
      std::vector<stream_protocol::endpoint> one;
      one.emplace_back(net::ip::tcp::endpoint(address, port));
      co_return one;
    }
    auto lookup = resolver.async_resolve(endpoint.host, endpoint.port, as_result);
    const auto found = co_await with_timeout(std::move(lookup), options.connect_timeout);
    if (!found)
      throw HttpError(HttpError::Stage::unsent, "the name " + endpoint.host +
                                                    " was not resolved within " +
                                                    number(options.connect_timeout) + " s");
    if (const auto& failure = std::get<0>(*found); failure) {
      throw HttpError(HttpError::Stage::unsent,
                      "the name " + endpoint.host + " was not resolved: " + failure.message());
    }
    co_return addresses(std::get<1>(*found));
  }

  Task<ConnectionPtr> connect() {
    const auto candidates = co_await resolve();
    error_code code = net::error::host_not_found;
    for (const auto& candidate : candidates) {
      auto connection = std::make_shared<HttpConnection>(io, losses);
      connection->stream.expires_after(span(options.connect_timeout));
      std::tie(code) = co_await connection->stream.async_connect(candidate, as_result);
      if (code == net::error::operation_aborted) throw boost::system::system_error(code);
      if (code) continue;
      if (options.endpoint.kind == Endpoint::Kind::tcp)
        tune_tcp(connection->stream.socket().native_handle());
      ++connects;
      connection->generation = generation;
      co_return connection;
    }
    ++*losses;
    const bool late = code == beast::error::timeout;
    throw HttpError(
        HttpError::Stage::unsent,
        late ? "not connected within " + number(options.connect_timeout) + " s" : code.message());
  }

  void drop_closed() {
    const auto dropped =
        std::erase_if(idle, [](const auto& connection) { return connection->closed_by_peer(); });
    *losses += dropped;
  }

  Task<ConnectionPtr> checkout() {
    drop_closed();
    if (idle.empty()) co_return co_await connect();
    auto connection = std::move(idle.back());
    idle.pop_back();
    co_return connection;
  }

  void give_back(ConnectionPtr connection) {
    if (idle.size() >= idle_limit || connection->generation != generation) return;
    connection->kept = true;
    connection->stream.expires_never();
    idle.push_back(std::move(connection));
  }

  http::request<http::string_body> message(const HttpRequest& request) const {
    http::request<http::string_body> made;
    made.version(11);
    made.method_string(request.method);
    made.target(request.target);
    made.set(http::field::host, options.endpoint.kind == Endpoint::Kind::tcp
                                    ? options.endpoint.text().substr(6)
                                    : "docker");
    made.set(http::field::user_agent, "campaignctl");
    if (request.upgrade) {
      made.set(http::field::connection, "Upgrade");
      made.set(http::field::upgrade, "tcp");
    }
    if (!request.body.empty()) made.set(http::field::content_type, request.content_type);
    made.body() = request.body;
    made.prepare_payload();
    return made;
  }

  net::io_context& io;
  HttpOptions options;
  std::vector<ConnectionPtr> idle;
  std::shared_ptr<std::size_t> losses = std::make_shared<std::size_t>(0);
  std::size_t connects = 0, generation = 0;
};

std::string HttpResponse::header(const std::string& lower_case_name) const {
  const auto found = headers.find(lower_case_name);
  return found == headers.end() ? std::string() : found->second;
}

HttpClient::HttpClient(net::io_context& io, const HttpOptions& options)
    : impl_(std::make_unique<Impl>(io, options)) {}
HttpClient::~HttpClient() = default;

std::size_t HttpClient::losses() {
  impl_->drop_closed();
  return *impl_->losses;
}

std::size_t HttpClient::connects() const { return impl_->connects; }

void HttpClient::renew() {
  ++impl_->generation;
  impl_->idle.clear();
}

Task<HttpResponse> HttpClient::request(HttpRequest request) {
  auto connection = co_await impl_->checkout();
  connection->stream.expires_after(span(request.timeout));
  auto message = impl_->message(request);
  co_await send(*connection, message, request.timeout);

  http::response_parser<http::string_body> parser;
  parser.body_limit(body_limit);
  parser.skip(request.method == "HEAD");
  const auto [code, bytes] =
      co_await http::async_read(connection->stream, connection->buffer, parser, as_result);
  if (code) connection->fail(stage_of(*connection, parser.got_some()), code, request.timeout);

  auto received = parser.release();
  HttpResponse response{.status = static_cast<int>(received.result_int()),
                        .headers = lower_case(received),
                        .body = std::move(received.body())};
  if (received.keep_alive() && connection->buffer.size() == 0)
    impl_->give_back(std::move(connection));
  co_return response;
}

Task<std::unique_ptr<HttpStream>> HttpClient::open(HttpRequest request) {
  auto connection = co_await impl_->connect();
  connection->stream.expires_after(span(request.timeout));
  auto message = impl_->message(request);
  co_await send(*connection, message, request.timeout);

  auto& parser = connection->parser.emplace();
  parser.body_limit(boost::none);
  const auto [code, bytes] =
      co_await http::async_read_header(connection->stream, connection->buffer, parser, as_result);
  if (code) connection->fail(stage_of(*connection, parser.got_some()), code, request.timeout);
  connection->stream.expires_never();
  co_return std::make_unique<HttpStream>(std::move(connection));
}

HttpStream::HttpStream(ConnectionPtr connection) : connection_(std::move(connection)) {
  connection_->piece.resize(piece_size);
}

HttpStream::~HttpStream() { close(); }

void HttpStream::close() {
  error_code ignored;
  connection_->stream.socket().close(ignored);
}

int HttpStream::status() const { return static_cast<int>(connection_->parser->get().result_int()); }

namespace {

Task<std::optional<std::string>> read_raw(HttpConnection& connection, double idle_seconds) {
  auto& left = connection.buffer;
  if (left.size() > 0) {
    std::string piece(static_cast<const char*>(left.data().data()), left.size());
    left.clear();
    co_return piece;
  }
  const auto [code, bytes] =
      co_await connection.stream.async_read_some(net::buffer(connection.piece), as_result);
  if (code == net::error::eof) co_return std::nullopt;
  if (code) connection.fail(HttpError::Stage::answering, code, idle_seconds);
  co_return std::string(connection.piece.data(), bytes);
}

Task<std::optional<std::string>> read_body(HttpConnection& connection, double idle_seconds) {
  auto& parser = *connection.parser;
  while (!parser.is_done()) {
    auto& body = parser.get().body();
    body.data = connection.piece.data();
    body.size = connection.piece.size();
    const auto [code, bytes] =
        co_await http::async_read_some(connection.stream, connection.buffer, parser, as_result);
    const auto got = connection.piece.size() - body.size;
    if (got > 0) co_return std::string(connection.piece.data(), got);
    if (code && code != http::error::need_buffer)
      connection.fail(HttpError::Stage::answering, code, idle_seconds);
  }
  co_return std::nullopt;
}

}  // namespace

Task<std::optional<std::string>> HttpStream::read(double idle_seconds) {
  const auto connection = connection_;
  if (idle_seconds > 0)
    connection->stream.expires_after(span(idle_seconds));
  else
    connection->stream.expires_never();
  if (status() == 101) co_return co_await read_raw(*connection, idle_seconds);
  co_return co_await read_body(*connection, idle_seconds);
}

Task<> HttpStream::write(std::string bytes) {
  const auto connection = connection_;
  const auto [code, written] =
      co_await net::async_write(connection->stream, net::buffer(bytes), as_result);
  if (code == net::error::operation_aborted) throw boost::system::system_error(code);
  if (code) throw HttpError(HttpError::Stage::answering, code.message());
}

void HttpStream::close_writing() {
  error_code ignored;
  connection_->stream.socket().shutdown(net::socket_base::shutdown_send, ignored);
}

Task<std::string> HttpStream::read_all(double idle_seconds, std::size_t limit) {
  std::string all;
  while (all.size() < limit) {
    const auto piece = co_await read(idle_seconds);
    if (!piece) break;
    all += *piece;
  }
  all.resize(std::min(all.size(), limit));
  co_return all;
}

}  // namespace container
