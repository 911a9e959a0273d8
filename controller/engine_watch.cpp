#include "controller/engine_watch.hpp"

#include "container/labels.hpp"
#include "controller/supervise/async_executor.hpp"

namespace controller {

namespace {

// What one incarnation leaves to the next.
struct EngineWatch {
  EngineWatchParts parts;
  std::int64_t since = 0;

  Task<> follow(supervise::ServiceContext& context) {
    auto events = co_await parts.engine->events({{container::label::uid, parts.uid}}, since);
    context.ready();
    while (auto event = co_await events->next()) {
      since = event->time_nano + 1;
      parts.on_event(*event);
    }
    throw container::EngineError(0, "the engine's events were cut");
  }
};

}  // namespace

void watch_engine(supervise::Host& host, EngineWatchParts parts) {
  const auto watch = std::make_shared<EngineWatch>(EngineWatch{.parts = std::move(parts)});
  const supervise::ServiceBody body = [watch](supervise::ServiceContext& context) -> Task<> {
    co_await context.unless_stopped(watch->follow(context));
  };
  std::vector<supervise::Service> services;
  services.push_back({.policy = {.name = "events", .stop_within = 1},
                      .executor = std::make_unique<supervise::AsyncExecutor>(
                          host.io(), body, supervise::Ready::when_told)});
  host.add({.name = engine_watch_name,
            .back_off = {.first = 0.5, .longest = 30},
            .max_restarts = std::nullopt},
           std::move(services));
}

}  // namespace controller
