// Running a session from the command line: progress while it runs, the summary when it has ended.
#pragma once

#include "controller/cli/console.hpp"
#include "controller/cli/summary.hpp"

namespace controller::cli {

SessionResult run_and_finish(SessionRequest request, const Globals& global, Console& console);
// Prints the summary; gives the exit code.
int print_session(SessionResult result, const Globals& global, Console& console);
// Sets the counts of its summary, gives the runs that failed.
std::vector<FailedRun> failures_of(SessionResult& result);

}  // namespace controller::cli
