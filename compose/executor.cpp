#include "compose/executor.hpp"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>

#include "compose/executor_steps.hpp"
#include "container/gpu.hpp"

namespace compose {

namespace asio = boost::asio;

namespace {

using container::Engine;
using container::EngineError;
using container::Task;

constexpr int log_lines = 20;

class Executor {
 public:
  Executor(Engine& engine, const Plan& plan, const ExecutorOptions& options)
      : engine_(engine),
        plan_(plan),
        options_(options),
        runner_(engine, [this] { return stopping(); }),
        states_(plan.steps.size(), State::waiting) {}

  // Steps under way point to this: it waits for them, also where its caller is cancelled.
  Task<Execution> run() {
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    asio::steady_timer wake(co_await asio::this_coro::executor);
    wake_ = &wake;
    for (;;) {
      if (!stopping()) begin_what_can();
      if (running_ == 0) break;
      wake.expires_after(std::chrono::milliseconds(100));
      co_await wake.async_wait(asio::as_tuple(asio::use_awaitable));
    }
    if (result_.ok && options_.give_up && options_.give_up() && !all_done()) {
      result_.ok = false;
      result_.given_up = true;
      result_.failure = "it was asked to stop";
    }
    if (!result_.ok) co_await clear_up();
    co_await asio::this_coro::reset_cancellation_state(asio::enable_terminal_cancellation());
    co_return std::move(result_);
  }

 private:
  enum class State { waiting, running, done };

  using OnFailure = ExecutorOptions::OnFailure;

  bool stopping() const {
    const bool failed = !result_.ok && options_.on_failure != OnFailure::go_on;
    return failed || (options_.give_up && options_.give_up());
  }
  bool all_done() const {
    return std::all_of(states_.begin(), states_.end(), [](State s) { return s == State::done; });
  }

  void begin_what_can() {
    for (std::size_t i = 0; i < plan_.steps.size() && running_ < options_.at_once; ++i) {
      const Step& step = plan_.steps[i];
      const bool ready = states_[i] == State::waiting &&
                         std::all_of(step.after.begin(), step.after.end(), [&](std::size_t before) {
                           return states_[before] == State::done;
                         });
      if (!ready) continue;
      states_[i] = State::running;
      ++running_;
      if (options_.begun) options_.begun(step);
      asio::co_spawn(wake_->get_executor(), carry_out(i), asio::detached);
    }
  }

  // run() waits for its end, so `this` outlives it.
  Task<> carry_out(std::size_t index) {
    const Step& step = plan_.steps[index];
    std::string reason;
    try {
      co_await runner_.run(step);
    } catch (const std::exception& error) {
      reason = error.what();
      const std::string remedy = container::gpu_remedy(reason);
      if (!remedy.empty()) reason += "; " + remedy;
    }
    states_[index] = State::done;
    --running_;
    if (reason.empty())
      succeeded(step);
    else
      failed(step, reason);
    wake_->cancel();
  }

  void succeeded(const Step& step) {
    result_.done.push_back(text(step));
    if (options_.done) options_.done(step);
  }

  void failed(const Step& step, const std::string& reason) {
    const std::string what = text(step) + ": " + reason;
    const bool harmless = !step.required || step.action == Action::remove_network;
    if (harmless) {
      result_.warnings.push_back(what);
      return;
    }
    if (!result_.ok) return;
    result_.ok = false;
    result_.given_up = options_.give_up && options_.give_up();
    result_.failure = what;
    if (!step.service.empty()) result_.culprit = step.subject;
  }

  Task<> clear_up() {
    if (!result_.culprit.empty()) result_.logs = co_await last_words(result_.culprit);
    if (options_.on_failure != OnFailure::roll_back) co_return;
    while (!runner_.made().empty()) {
      const std::string subject = runner_.made().back().subject;
      std::string reason;
      try {
        co_await runner_.undo_last();
      } catch (const EngineError& error) {
        reason = error.what();
      }
      if (reason.empty())
        result_.rolled_back.push_back(subject);
      else
        result_.warnings.push_back(subject + " could not be removed again: " + reason);
    }
  }

  Task<std::string> last_words(const std::string& name) {
    std::string words;
    try {
      words = co_await engine_.logs(name, log_lines);
      const auto state = co_await engine_.inspect(name);
      if (!state.health.log.empty() && !state.health.log.back().empty())
        words += "health check: " + state.health.log.back();
    } catch (const EngineError&) {
      // Without them the failure is told all the same.
    }
    co_return words;
  }

  Engine& engine_;
  const Plan& plan_;
  const ExecutorOptions& options_;
  StepRunner runner_;
  std::vector<State> states_;
  std::size_t running_ = 0;
  asio::steady_timer* wake_ = nullptr;
  Execution result_;
};

}  // namespace

Task<Execution> execute(Engine& engine, const Plan& plan, const ExecutorOptions& options) {
  Executor executor(engine, plan, options);
  co_return co_await executor.run();
}

}  // namespace compose
