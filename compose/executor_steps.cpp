#include "compose/executor_steps.hpp"

#include <algorithm>
#include <chrono>

#include "container/ephemeral.hpp"

namespace compose {

namespace {

using container::ContainerState;
using container::ContainerStatus;
using container::EngineError;
using container::Health;
using container::Task;

bool is_over(const ContainerState& state) {
  return state.status == ContainerStatus::exited || state.status == ContainerStatus::dead ||
         state.status == ContainerStatus::removing;
}

std::string ended_text(const ContainerState& state) {
  return "it has ended with " + std::to_string(state.exit_code) +
         (state.oom_killed ? ", out of memory" : "") +
         (state.error.empty() ? "" : ": " + state.error);
}

// True: the condition holds. Throws where it cannot come true any more.
bool holds(const Step& step, const ContainerState& state) {
  if (step.awaited == Awaited::completed) {
    if (state.status == ContainerStatus::exited && state.exit_code == 0) return true;
    if (is_over(state)) throw StepFailed(ended_text(state));
    return false;
  }
  if (is_over(state)) throw StepFailed(ended_text(state));
  if (state.health.status == Health::unhealthy)
    throw StepFailed("its health check has failed " + std::to_string(state.health.failing_streak) +
                     " times");
  if (state.status != ContainerStatus::running) return false;
  if (state.health.status != Health::none) return state.health.status == Health::healthy;
  if (step.awaited == Awaited::healthy)
    throw StepFailed("it has no health check: give it one, or wait for service_started");
  return true;
}

std::string seconds_text(double seconds) {
  auto text = std::to_string(seconds);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.ends_with('.')) text.pop_back();
  return text + " s";
}

}  // namespace

std::string StepRunner::id_of(const Step& step) const {
  if (!step.id.empty()) return step.id;
  const auto made = ids_.find(step.subject);
  return made == ids_.end() ? step.subject : made->second;
}

Task<> StepRunner::create(const Step& step) {
  const DesiredContainer& wanted = *step.container;
  make_folders(wanted.folders);
  const std::string id = co_await engine_.create(wanted.spec);
  ids_[step.subject] = id;
  made_.push_back({step.action, step.subject, id});
  co_await container::put_files(engine_, id, wanted.files);
}

Task<> StepRunner::stop(const Step& step) {
  const container::StopLimits limits{.grace = step.grace, .hurry = give_up_, .signal = step.signal};
  co_await container::stop_verified(engine_, id_of(step), limits);
}

// Somebody else's container in it is no reason to fail: it stays, and so does the network.
Task<> StepRunner::remove_network(const Step& step) {
  try {
    co_await engine_.networks().remove(step.id);
  } catch (const EngineError& error) {
    if (error.status != 403 && !error.conflict()) throw;
    throw StepFailed("it is in use by others");
  }
}

Task<> StepRunner::await_condition(const Step& step) {
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + std::chrono::duration<double>(step.deadline);
  for (double pause = 0.01;; pause = std::min(pause * 1.3, 0.1)) {
    if (holds(step, co_await engine_.inspect(id_of(step)))) co_return;
    if (give_up_ && give_up_()) throw StepFailed("it was asked to stop");
    if (Clock::now() >= end) throw StepFailed("not within " + seconds_text(step.deadline));
    co_await container::sleep_for(pause);
  }
}

Task<> StepRunner::run(const Step& step) {
  switch (step.action) {
    case Action::create_network: {
      const std::string id = co_await engine_.networks().create(step.network->spec);
      made_.push_back({step.action, step.subject, id});
      co_return;
    }
    case Action::create_volume:
      co_await engine_.volumes().create(step.volume->spec);
      made_.push_back({step.action, step.subject, step.subject});
      co_return;
    case Action::create_container:
      co_return co_await create(step);
    case Action::connect:
      co_return co_await engine_.networks().connect(*step.attachment, step.id);
    case Action::start:
      co_return co_await engine_.start(id_of(step));
    case Action::unpause:
      co_return co_await engine_.unpause(step.id);
    case Action::stop:
      co_return co_await stop(step);
    case Action::remove_container:
      co_return co_await engine_.remove(step.id, true);
    case Action::remove_network:
      co_return co_await remove_network(step);
    case Action::remove_volume:
      co_return co_await engine_.volumes().remove(step.id);
    case Action::await:
      co_return co_await await_condition(step);
  }
}

Task<> StepRunner::undo_last() {
  const Made last = made_.back();
  made_.pop_back();
  if (last.action == Action::create_network) co_return co_await engine_.networks().remove(last.id);
  if (last.action == Action::create_volume) co_return co_await engine_.volumes().remove(last.id);
  co_await engine_.remove(last.id, true);
}

}  // namespace compose
