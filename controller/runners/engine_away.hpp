// An engine that does not answer is not a failure of the attempt.
#pragma once

#include "container/engine.hpp"
#include "controller/runners/runner.hpp"

namespace controller {

// Carries out `verb`; throws EngineAway where the engine could not be reached.
Task<> away_or(Task<> verb);
Task<bool> away_or(Task<bool> verb);

}  // namespace controller
