// A service as a container: created or taken over by name, watched from before its start, stopped
// by signal. Its end is what inspect says after a wait, an event or a doubt told to look; a wait
// that was cut is opened anew, for as long as the engine is away. One with our name that runs
// already is taken over as it is.
#pragma once

#include "container/ephemeral.hpp"
#include "controller/supervise/executor.hpp"

namespace boost::asio {
class io_context;
}

namespace controller::supervise {

// remove: an ended one is removed, and each start makes a fresh one. keep: it stays, and the next
// start starts it again.
enum class AfterEnd { remove, keep };

// Called on the loop's thread; each may be empty.
struct ContainerHooks {
  std::function<void(const std::string& id)> on_started;  // its process runs
  std::function<void(const std::string& id)> on_ready;    // it serves
  // It has ended, or did not come up; the id is "" where none could be made.
  std::function<void(const std::string& id, const Exit& exit)> on_ended;
  // Between its end and its removal or next start, where its logs and files are still to be had.
  std::function<Task<>(const std::string& id)> before_removal;
};

struct ContainerParts {
  container::Engine* engine = nullptr;
  container::ContainerSpec spec;
  std::vector<container::TarFile> files = {};  // put below / of each one that is made
  container::Ours ours;  // whether one that has our name may be taken over or replaced
  AfterEnd after_end = AfterEnd::remove;
  std::string stop_signal = "TERM";
  // Returns when it serves, throws when it will not: then it is killed. Bounded by the service's
  // start_within. Empty: it serves as soon as it runs.
  std::function<Task<>(const std::string& id)> ready;
  ContainerHooks hooks;
};

class ContainerExecutor : public Executor {
 public:
  // `io` is the engine's loop; the engine outlives what was begun here.
  ContainerExecutor(boost::asio::io_context& io, ContainerParts parts);
  ~ContainerExecutor() override;  // the container stays as it is
  void start(Report report) override;
  void stop() override;
  void kill() override;
  Task<> close() override;  // throws std::runtime_error when the container could not be removed

  const std::string& id() const;                   // of the one that runs; "" = none
  void tell_end(const std::string& container_id);  // another witness says so: look

 private:
  struct State;
  struct Run;
  std::shared_ptr<State> state_;  // also held by coroutines under way
};

}  // namespace controller::supervise
