// A second witness of exits: the engine's event stream, opened anew with a back-off whenever it is
// cut.
#pragma once

#include "container/engine.hpp"
#include "controller/stages/run_context.hpp"

namespace controller {

struct EngineWatchParts {
  container::Engine* engine = nullptr;
  std::string uid;
  Wake* wake = nullptr;
  std::function<void(const container::EngineEvent& event)> on_event;
  std::function<bool()> over;  // the watch is to end
};
Task<> watch_engine(EngineWatchParts parts);

}  // namespace controller
