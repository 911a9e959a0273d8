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
class ExecStream;

struct ExecSpec {
  std::vector<std::string> command;
  std::vector<std::string> env = {};        // K=V, beside the container's
  std::string user = {}, working_dir = {};  // empty: the container's
  bool privileged = false;
  // For start_attached and start_interactive; a detached one has no output.
  bool output = false;
  // For start_interactive. Whoever says so must read or close the input: what comes from there is
  // gone. With a terminal all output is one stream.
  bool input = false, terminal = false;
};

struct TerminalSize {
  int rows = 0, columns = 0;
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
  // The same for one that was created by `spec` with input.
  virtual Task<std::unique_ptr<ExecStream>> start_interactive(const std::string& exec,
                                                              const ExecSpec& spec) = 0;
  // Of its terminal, once it runs: an engine refuses it before.
  virtual Task<> resize(const std::string& exec, TerminalSize size) = 0;
  virtual Task<ExecState> inspect(const std::string& exec) = 0;
};

}  // namespace container
