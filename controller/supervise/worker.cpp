#include "controller/supervise/worker.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <csignal>
#include <cstdlib>

#include "campaign/state/json_text.hpp"

namespace controller::supervise {

namespace asio = boost::asio;
namespace json = campaign::json_text;

namespace {

std::map<std::string, std::string> read_options(json::Reader& reader) {
  std::map<std::string, std::string> options;
  reader.begin_object();
  for (std::string_view key; reader.next_member(key);)
    options[json::Reader::unescape(key)] = reader.string();
  return options;
}

// The smallest service: says at every period that its loop turns, and how late it was.
Task<> pulse(ServiceContext& context, const WorkerRequest& request) {
  const auto found = request.options.find("period");
  const double period = found == request.options.end() ? 1 : std::atof(found->second.c_str());
  context.ready();
  for (int beat = 1; !context.stopping(); ++beat) {
    request.tell("beat " + std::to_string(beat));
    co_await context.wait(period);
  }
}

class Worker {
 public:
  int run() {
    std::signal(SIGPIPE, SIG_IGN);
    asio::co_spawn(io_, listen(), asio::detached);
    io_.run();
    return exit_code_;
  }

 private:
  void send(const WorkerMessage& message) {
    const std::string line = encode(message) + "\n";
    std::size_t sent = 0;
    while (sent < line.size()) {
      const ssize_t written = ::write(STDOUT_FILENO, line.data() + sent, line.size() - sent);
      if (written <= 0) return;  // the parent is gone; the end of the input tells
      sent += static_cast<std::size_t>(written);
    }
  }

  void fail(const std::string& why) {
    exit_code_ = 1;
    send({.type = "failed", .text = why});
  }

  void stop() {
    context_.request_stop();
    context_.wake();
  }

  Task<> listen() {
    input_.assign(::dup(STDIN_FILENO));
    std::string pending;
    for (char buffer[4096]; !over_;) {
      const auto [error, size] = co_await input_.async_read_some(
          asio::buffer(buffer), asio::as_tuple(asio::use_awaitable));
      if (error) break;
      pending.append(buffer, size);
      for (auto end = pending.find('\n'); end != std::string::npos; end = pending.find('\n')) {
        if (const auto message = decode_worker_message(pending.substr(0, end))) obey(*message);
        pending.erase(0, end + 1);
      }
    }
    stop();
    if (!over_) co_await end_orphaned();
  }

  // Nobody is there any more who would kill it.
  Task<> end_orphaned() {
    constexpr double grace = 10;
    co_await container::sleep_for(begun_ ? grace : 0);
    if (!over_) ::_exit(1);
  }

  void obey(const WorkerMessage& message) {
    if (message.type == "stop") return stop();
    if (message.type != "start" || begun_) return;
    begun_ = true;
    asio::co_spawn(io_, serve(message), asio::detached);
  }

  Task<> serve(WorkerMessage request) {
    const WorkerService* found = nullptr;
    for (const WorkerService& service : worker_services())
      if (service.name == request.text) found = &service;
    if (found) {
      const WorkerRequest with{.options = request.options, .tell = [this](const std::string& text) {
                                 send({.type = "message", .text = text});
                               }};
      const ServiceBody body = [&](ServiceContext& context) { return found->body(context, with); };
      const std::string failure = co_await failure_of(body, context_);
      if (!failure.empty()) fail(failure);
    } else {
      fail("this program has no service " + request.text);
    }
    over_ = true;
    io_.stop();
  }

  asio::io_context io_;
  asio::posix::stream_descriptor input_{io_};
  ServiceContext context_{[this] { send({.type = "running"}); }};
  bool begun_ = false;
  bool over_ = false;
  int exit_code_ = 0;
};

}  // namespace

std::string encode(const WorkerMessage& message) {
  std::string out = R"({"v":1,"type":)";
  json::append_string(out, message.type);
  if (!message.text.empty()) {
    out += R"(,"text":)";
    json::append_string(out, message.text);
  }
  if (!message.options.empty()) {
    out += R"(,"options":{)";
    const char* separator = "";
    for (const auto& [name, value] : message.options) {
      out += separator;
      json::append_string(out, name);
      out += ':';
      json::append_string(out, value);
      separator = ",";
    }
    out += '}';
  }
  return out + '}';
}

std::optional<WorkerMessage> decode_worker_message(const std::string& line) {
  WorkerMessage message;
  std::int64_t version = 0;
  try {
    json::Reader reader(line);
    reader.begin_object();
    for (std::string_view key; reader.next_member(key);) {
      if (key == "v")
        version = reader.integer();
      else if (key == "type")
        message.type = reader.string();
      else if (key == "text")
        message.text = reader.string();
      else if (key == "options")
        message.options = read_options(reader);
      else
        reader.raw();
    }
    reader.finish();
  } catch (const json::Error&) {
    return std::nullopt;
  }
  if (version != 1 || message.type.empty()) return std::nullopt;
  return message;
}

const std::vector<WorkerService>& worker_services() {
  static const std::vector<WorkerService> table = {{"pulse", pulse}};
  return table;
}

int run_worker() { return Worker().run(); }

}  // namespace controller::supervise
