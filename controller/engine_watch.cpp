#include "controller/engine_watch.hpp"

#include <algorithm>

#include "container/labels.hpp"

namespace controller {

namespace {

// Until the stream is cut; `since` moves on past what was seen.
Task<> follow(const EngineWatchParts& parts, std::int64_t& since) {
  auto events = co_await parts.engine->events({{container::label::uid, parts.uid}}, since);
  while (auto event = co_await events->next()) {
    since = event->time_nano + 1;
    parts.on_event(*event);
  }
}

}  // namespace

Task<> watch_engine(EngineWatchParts parts) {
  constexpr double shortest = 0.5, longest = 30;
  std::int64_t since = 0;
  for (double pause = shortest; !parts.over(); pause = std::min(pause * 2, longest)) {
    const std::int64_t before = since;
    try {
      co_await follow(parts, since);
    } catch (const container::EngineError&) {
      // The wait of each run tells too; the stream is opened again after the pause.
    }
    if (since != before) pause = shortest;
    if (!parts.over()) co_await parts.wake->wait(pause);
  }
}

}  // namespace controller
