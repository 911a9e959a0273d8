// A second witness of exits: the engine's event stream, as a supervised service. When it is cut,
// the supervisor opens it anew after a back-off, and it goes on past what was seen.
#pragma once

#include "container/engine.hpp"
#include "controller/supervise/host.hpp"

namespace controller {

inline constexpr char engine_watch_name[] = "engine events";

struct EngineWatchParts {
  container::Engine* engine = nullptr;
  std::string uid;
  std::function<void(const container::EngineEvent& event)> on_event;
};
void watch_engine(supervise::Host& host, EngineWatchParts parts);

}  // namespace controller
