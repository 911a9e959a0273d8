// Who tells of the end of an exec: its outcome file, its output, and a look now and then. See
// exec.hpp.
#pragma once

#include <functional>

#include "container/exec.hpp"

namespace container {

struct ExecWatch {
  Engine* engine = nullptr;  // outlives the witness
  ExecRun run;
  std::string exec;
};

Task<std::unique_ptr<ExecWitness>> watch_exec(ExecWatch watch, OnExit on_exit);
// For one without the launcher: its output goes to out_here/stdout.log and stderr.log, at most
// 64 MiB each.
Task<std::unique_ptr<ExecWitness>> watch_output(ExecWatch watch,
                                                std::unique_ptr<OutputStream> output,
                                                OnExit on_exit);

// `task`, with another one beside it that sees when it is done and then ends by itself. What either
// throws is thrown once both have ended.
using Beside = std::function<Task<>(const bool& done)>;
Task<> alongside(Task<> task, const Beside& beside);

}  // namespace container
