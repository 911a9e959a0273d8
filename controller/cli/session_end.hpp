// Running a session from the command line: progress while it runs, the summary when it has ended.
#pragma once

#include "controller/cli/console.hpp"
#include "controller/cli/summary.hpp"

namespace controller::cli {

SessionResult run_and_finish(SessionRequest request, const Globals& global, Console& console);
// Gives the exit code.
int print_session(const SessionResult& result, const Globals& global, Console& console);
std::vector<FailedRun> failed_runs_of(const SessionResult& result);

}  // namespace controller::cli
