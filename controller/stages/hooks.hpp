// Commands of the campaign that run on the host around runs. Bounded; never inside measure.
#pragma once

#include "controller/stages/run_context.hpp"

namespace controller {

// Throws std::runtime_error with the exit code and where its output is. An empty argv does nothing.
Task<> run_hook(RunContext& context, const std::string& name, const campaign::Argv& argv,
                const Attempt* attempt);

}  // namespace controller
