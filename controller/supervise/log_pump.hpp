// Copies the output of containers, one after the other, into a file: bytes as they were written,
// both streams in the order in which the engine stored them. It reads what the engine has stored,
// so it never stalls a container, and after a cut it goes on at the byte where it stood. Beyond
// its cap the rest is read, counted and dropped, and a last line says so. One file per pump: a
// container that is followed from its first byte twice stands in it twice.
#pragma once

#include "container/engine.hpp"
#include "controller/supervise/service.hpp"

namespace controller::supervise {

struct LogPumpParts {
  container::Engine* engine = nullptr;
  std::string file;             // appended to
  std::int64_t cap = 64 << 20;  // bytes, with what the file held before
};

class LogPump {
 public:
  explicit LogPump(LogPumpParts parts);

  // The service, for an AsyncExecutor on the engine's loop. It crashes when the engine cuts it
  // off or the file cannot be written; its supervisor restarts it without a limit.
  ServiceBody body() const;
  // From now on this one's output too, after that of those before it has ended.
  void follow(const std::string& id);
  // Of a container that has ended: returns when all its output is in the file, or after so long.
  // An engine may leave a stream open that it began just as the container ended: what is missing
  // then is read from what it has stored.
  Task<> drained(std::string id, double seconds) const;

  std::int64_t kept() const;     // bytes in the file
  std::int64_t dropped() const;  // bytes beyond the cap

 private:
  struct State;
  std::shared_ptr<State> state_;  // also held by the bodies
};

}  // namespace controller::supervise
