// Processes that an engine starts in a container that runs already. Nothing of them outlives the
// container or the engine: no code, no output. They cannot be killed through the engine, and cannot
// be deleted: it forgets them some minutes after their end. container/exec.hpp does what a
// campaign needs on top of that.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "container/async.hpp"

namespace container {

class OutputStream;

struct ExecSpec {
  std::vector<std::string> command;
  std::vector<std::string> env = {};        // K=V, beside the container's
  std::string user = {}, working_dir = {};  // empty: the container's
  bool privileged = false;
  // For start_attached; a detached one has no output. There is never a terminal nor input.
  bool output = false;
};

struct ExecState {
  std::string id, container;
  bool running = false;
  // nullopt until it has ended. Podman says 0 while it runs: look at `running` first.
  std::optional<int> exit_code;
  std::int64_t pid = 0;                // on the engine's host
  std::vector<std::string> arguments;  // program and arguments
};

class Execs {
 public:
  virtual ~Execs() = default;
  // Its id. 409: the container does not run, or is paused.
  virtual Task<std::string> create(const std::string& container, const ExecSpec& spec) = 0;
  // Returns once the program is under way. 400: it cannot be executed; 409: started before. A cut
  // one (status 0) may still be carried out.
  virtual Task<> start_detached(const std::string& exec) = 0;
  // What cannot be executed is told by the engine in the output, and by exit code 126 or 127. An
  // output that nobody reads stalls the program.
  virtual Task<std::unique_ptr<OutputStream>> start_attached(const std::string& exec) = 0;
  virtual Task<ExecState> inspect(const std::string& exec) = 0;
};

}  // namespace container
