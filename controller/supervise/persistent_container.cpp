#include "controller/supervise/persistent_container.hpp"

#include <algorithm>
#include <type_traits>

#include "campaign/state/journal.hpp"
#include "controller/supervise/async_executor.hpp"

namespace controller::supervise {

struct PersistentContainer::Status {
  bool serving = false;
  int incarnation = 0;
  std::string last_end;
  Wake changed;
};

namespace {

constexpr double drain_seconds = 5;

void add_pump(Host& host, const LogPump& pump, const std::string& name) {
  std::vector<Service> services;
  services.push_back(
      {.policy = {.name = "pump"},
       .executor = std::make_unique<AsyncExecutor>(host.io(), pump.body(), Ready::when_told)});
  host.add({.name = name, .max_restarts = std::nullopt}, std::move(services));
}

template <class... Arguments>
using Hook = std::function<void(Arguments...)>;

// First ours, then the owner's.
template <class... Arguments>
Hook<Arguments...> in_turn(std::type_identity_t<Hook<Arguments...>> first,
                           std::type_identity_t<Hook<Arguments...>> second) {
  if (!second) return first;
  return [first = std::move(first), second = std::move(second)](Arguments... arguments) {
    first(arguments...);
    second(arguments...);
  };
}

std::function<Task<>(const std::string&)> drained_first(
    std::shared_ptr<LogPump> pump, std::function<Task<>(const std::string&)> then) {
  return [pump = std::move(pump), then = std::move(then)](const std::string& id) -> Task<> {
    co_await pump->drained(id, drain_seconds);
    if (then) co_await then(id);
  };
}

}  // namespace

PersistentContainer::PersistentContainer(Host& host, PersistentContainerParts parts)
    : host_(host), name_(parts.supervisor.name), status_(std::make_shared<Status>()) {
  if (parts.service.name.empty()) parts.service.name = name_;
  service_ = parts.service.name;
  ContainerHooks& hooks = parts.container.hooks;
  if (!parts.log.empty()) {
    // Shared by the hooks, which outlive this object with their container.
    const auto pump = std::make_shared<LogPump>(
        LogPumpParts{.engine = parts.container.engine, .file = parts.log, .cap = parts.log_cap});
    pump_name_ = name_ + " log";
    add_pump(host, *pump, pump_name_);
    hooks.on_started = in_turn<const std::string&>(
        [pump](const std::string& id) { pump->follow(id); }, std::move(hooks.on_started));
    hooks.before_removal = drained_first(pump, std::move(hooks.before_removal));
  }
  hooks.on_ready = in_turn<const std::string&>(
      [status = status_](const std::string&) {
        status->serving = true;
        ++status->incarnation;
        status->changed.notify();
      },
      std::move(hooks.on_ready));
  hooks.on_ended = in_turn<const std::string&, const Exit&>(
      [status = status_](const std::string&, const Exit& exit) {
        status->serving = false;
        status->last_end = exit.how;
        status->changed.notify();
      },
      std::move(hooks.on_ended));
  auto executor = std::make_unique<ContainerExecutor>(host.io(), std::move(parts.container));
  executor_ = executor.get();
  std::vector<Service> services;
  services.push_back({.policy = std::move(parts.service), .executor = std::move(executor)});
  host.add(std::move(parts.supervisor), std::move(services));
}

const std::string& PersistentContainer::id() const {
  static const std::string none;
  return executor_ ? executor_->id() : none;
}

bool PersistentContainer::serving() const { return status_->serving; }

int PersistentContainer::incarnation() const { return status_->incarnation; }

const std::string& PersistentContainer::last_end() const { return status_->last_end; }

Task<bool> PersistentContainer::serving_within(double seconds) {
  // What the supervisor makes of an end shows a turn of the loop later, so it is looked at as well.
  constexpr double look = 0.1;
  const double end = host_.clock().boottime() + seconds;
  for (;;) {
    if (status_->serving) co_return true;
    const Supervisor* const supervisor = host_.find(name_);
    const double left = end - host_.clock().boottime();
    if (!supervisor || supervisor->over() || left <= 0) co_return false;
    co_await status_->changed.wait(std::min(left, look));
  }
}

void PersistentContainer::restart() {
  if (Supervisor* const supervisor = host_.find(name_)) supervisor->restart(service_);
}

void PersistentContainer::tell_end(const std::string& container_id) {
  if (executor_) executor_->tell_end(container_id);
}

Task<> PersistentContainer::remove() {
  executor_ = nullptr;
  co_await host_.remove(name_);
  if (!pump_name_.empty()) co_await host_.remove(pump_name_);
}

}  // namespace controller::supervise
