// A container engine, as campaigns need it: a dozen awaitable verbs for containers, and a few each
// for networks, volumes and execs. One implementation speaks the Docker Engine API
// (docker_engine.hpp); tests script another. Not thread-safe: all calls from the
// thread of the engine's io_context. Every verb throws EngineError; a wait that was cut is a value
// (unknown), never a code. A Task starts when it is awaited and keeps references to its arguments:
// await a verb in the expression that makes them, or hold them until it has ended.
#pragma once

#include <memory>
#include <stdexcept>

#include "container/engine_types.hpp"
#include "container/execs.hpp"
#include "container/networks.hpp"
#include "container/volumes.hpp"

namespace container {

// The engine refused, or could not be reached (status 0). The message says what was asked and what
// came back.
class EngineError : public std::runtime_error {
 public:
  EngineError(int http_status, const std::string& what)
      : std::runtime_error(what), status(http_status) {}
  int status;
  bool unreachable() const { return status == 0; }
  bool not_found() const { return status == 404; }
  bool conflict() const { return status == 409; }
};

// The result of a wait. known == false: the stream was cut or the container is unknown; says why.
struct WaitResult {
  bool known = false;
  int exit_code = 0;
  std::string error;
};

// A wait whose response header has been read: from then on no exit can be missed.
class PendingWait {
 public:
  virtual ~PendingWait() = default;  // cancels
  virtual Task<WaitResult> result() = 0;
  virtual void cancel() {
  }  // nobody is interested any more; a result that is being waited for may fail at once
};

// Output of a container, demultiplexed.
struct OutputChunk {
  enum class Stream { out, err, system } stream = Stream::out;
  std::string data;
};
class OutputStream {
 public:
  virtual ~OutputStream() = default;
  virtual Task<std::optional<OutputChunk>> next() = 0;  // nullopt at the end
};

// An exec's output, and its input. Writing and reading may go on at once. EngineError (status 0)
// where the connection was cut: an exec that has ended takes nothing more.
class ExecStream : public OutputStream {
 public:
  virtual Task<> write(const std::string& bytes) = 0;
  virtual void close_input() = 0;  // its reader sees the end; the output goes on
};

struct EngineEvent {
  std::string action, id;
  std::map<std::string, std::string> attributes;
  std::int64_t time_nano = 0;
};
// What a health_status event says; nullopt: it is another event.
std::optional<Health> health_in(const EngineEvent& event);

class EventStream {
 public:
  virtual ~EventStream() = default;
  virtual Task<std::optional<EngineEvent>> next() = 0;  // nullopt when the stream was cut
};

// first_exit: next_exit of a container that was only created; the engine is not asked for its state
// before.
enum class WaitCondition { not_running, next_exit, first_exit, removed };

class Engine {
 public:
  virtual ~Engine() = default;
  virtual Task<EngineInfo> info() = 0;  // negotiates again after a reconnect
  // Connections that are there now serve no further call: an engine that shuts down takes no new
  // ones, but goes on serving those that it has.
  virtual void renew_connections() {}
  virtual Task<std::string> create(const ContainerSpec& spec) = 0;  // id; 409 is the name fence
  // Before start; after the 101.
  virtual Task<std::unique_ptr<OutputStream>> attach(const std::string& id) = 0;
  virtual Task<std::unique_ptr<PendingWait>> wait(const std::string& id,
                                                  WaitCondition condition) = 0;
  virtual Task<> start(const std::string& id) = 0;  // 204 and 304 are success
  virtual Task<> unpause(const std::string& id) = 0;
  // On one that is not running: no error.
  virtual Task<> kill(const std::string& id, const std::string& signal) = 0;
  virtual Task<ContainerState> inspect(const std::string& id_or_name) = 0;
  // nullopt: it does not run. Takes up to two seconds on engines before 25, which count once a
  // second and answer then.
  virtual Task<std::optional<ContainerStats>> stats(const std::string& id) = 0;
  // 404 and "in progress" are success: polls for 404.
  virtual Task<> remove(const std::string& id, bool force_running) = 0;
  // All states; "" value = label present.
  virtual Task<std::vector<ContainerSummary>> list(
      const std::map<std::string, std::string>& labels) = 0;
  virtual Task<std::string> logs(const std::string& id, int tail) = 0;
  // Its logs from their beginning, then on as they come; ends with the container. Read from what
  // the engine has stored: a slow reader does not stall the container.
  virtual Task<std::unique_ptr<OutputStream>> follow_logs(const std::string& id) = 0;
  virtual Task<std::unique_ptr<EventStream>> events(
      const std::map<std::string, std::string>& labels, std::int64_t since_nano) = 0;
  virtual Task<std::optional<ImageInfo>> image(const std::string& reference) = 0;
  virtual Task<> pull(const std::string& reference) = 0;
  // One file's bytes.
  virtual Task<std::string> read_archive(const std::string& id, const std::string& path) = 0;
  // Unpacks a tar archive (tar.hpp) below a folder that exists in the container, running or not.
  virtual Task<> put_archive(const std::string& id, const std::string& path,
                             const std::string& archive) = 0;

  virtual Networks& networks() = 0;
  virtual Volumes& volumes() = 0;
  virtual Execs& execs() = 0;
};

}  // namespace container
