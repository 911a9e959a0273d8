#include "controller/supervise/container_executor.hpp"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <stdexcept>

namespace controller::supervise {

namespace asio = boost::asio;
using container::ContainerStatus;
using container::Ending;
using container::EngineError;

namespace {

Exit exit_of(const Ending& ending) {
  switch (ending.kind) {
    case Ending::Kind::gone:
      return {.how = "the container is gone"};
    case Ending::Kind::start_failed:
      return {.how = ending.error};
    default:
      break;
  }
  return {.well = ending.exit_code == 0 && !ending.oom_killed,
          .how = "exit code " + std::to_string(ending.exit_code) +
                 (ending.oom_killed ? ", out of memory" : "")};
}

bool has_ended(ContainerStatus status) {
  return status == ContainerStatus::exited || status == ContainerStatus::dead;
}

bool is_up(ContainerStatus status) {
  return status == ContainerStatus::running || status == ContainerStatus::paused ||
         status == ContainerStatus::restarting;
}

}  // namespace

// One incarnation.
struct ContainerExecutor::Run {
  Report report;
  std::string id;
  std::unique_ptr<container::ExitWitness> witness;
  std::string failure;  // why it is ended by us, rather than what its end then looks like
  bool started = false;
  bool stopping = false;
  bool over = false;
};

struct ContainerExecutor::State : std::enable_shared_from_this<State> {
  State(asio::io_context& loop, ContainerParts its_parts)
      : io(loop), parts(std::move(its_parts)), engine(*parts.engine) {}

  using RunPtr = std::shared_ptr<Run>;

  void spawn(Task<> task) { asio::co_spawn(io, std::move(task), asio::detached); }

  Task<> begin(std::shared_ptr<State> self, RunPtr of) {
    std::string& failure = of->failure;
    try {
      while (cleaning) co_await cleaned.wait(1);
      co_await bring_up(of);
    } catch (const std::exception& error) {
      failure = error.what();
    }
    if (failure.empty() || of->over) co_return;
    try {
      if (of->started) co_await container::stop_verified(engine, of->id, {.grace = 0});
    } catch (const std::exception& error) {
      failure += std::string("; ") + error.what();
    }
    self->finish(of, {.how = failure});
  }

  Task<> bring_up(RunPtr of) {
    const auto found = co_await find();
    of->id = found ? found->id : co_await engine.create(parts.spec);
    id = of->id;
    if (!found || found->status == ContainerStatus::created)
      co_await container::put_files(engine, of->id, parts.files);
    if (of->stopping) throw std::runtime_error("stopped before it was started");
    co_await start_watched(of, found && is_up(found->status));
    if (of->stopping) co_await engine.kill(of->id, "KILL");
    if (of->over) co_return;
    if (parts.hooks.on_started) parts.hooks.on_started(of->id);
    if (parts.ready) co_await parts.ready(of->id);
    if (of->over || forgotten) co_return;
    if (parts.hooks.on_ready) parts.hooks.on_ready(of->id);
    of->report.running();
  }

  // One of our name that can be started or goes on; one that has ended is cleared away first.
  Task<std::optional<container::ContainerState>> find() {
    std::optional<container::ContainerState> found;
    try {
      found = co_await engine.inspect(parts.spec.name);
    } catch (const EngineError& error) {
      if (!error.not_found()) throw;
    }
    if (!found) co_return std::nullopt;
    if (parts.ours && !parts.ours(found->labels))
      throw EngineError(409, "a container named " + parts.spec.name +
                                 " is there and is not ours (" + found->id.substr(0, 12) +
                                 "): remove or rename it");
    if (!has_ended(found->status) || parts.after_end == AfterEnd::keep) co_return found;
    co_await engine.remove(found->id, true);
    co_return std::nullopt;
  }

  Task<> start_watched(RunPtr of, bool up) {
    const container::OnExit told = [self = weak_from_this(), of] {
      if (const auto state = self.lock()) state->look_after(of);
    };
    container::Started started;
    if (up) {
      started = co_await container::adopt_watched(engine, of->id, told);
    } else {
      auto witness = co_await container::watch_first_exit(engine, of->id, told);
      started = co_await container::start_under(engine, of->id, std::move(witness));
    }
    if (started.ending.kind != Ending::Kind::running)
      throw std::runtime_error(supervise::exit_of(started.ending).how);
    of->started = true;
    of->witness = std::move(started.witness);
  }

  void look_after(const RunPtr& of) {
    if (!of->over && !forgotten) spawn(look(shared_from_this(), of));
  }

  // Until the engine says that it has ended, or is watched again.
  Task<> look(std::shared_ptr<State> self, RunPtr of) {
    constexpr double shortest = 0.1, longest = 2;
    for (double pause = shortest; !of->over && !forgotten; pause = std::min(pause * 1.5, longest)) {
      try {
        Ending ending = co_await container::look(engine, of->id);
        if (ending.kind == Ending::Kind::running) {
          const container::OnExit told = [weak = weak_from_this(), of] {
            if (const auto state = weak.lock()) state->look_after(of);
          };
          container::Started again = co_await container::adopt_watched(engine, of->id, told);
          of->witness = std::move(again.witness);
          ending = again.ending;
        }
        if (ending.kind != Ending::Kind::running) self->finish(of, supervise::exit_of(ending));
        co_return;
      } catch (const EngineError&) {
        // It is away, or restarts: what has become of the container shows when it is back.
      }
      co_await container::sleep_for(pause);
    }
  }

  void finish(const RunPtr& of, Exit exit) {
    if (of->over || forgotten) return;
    if (!of->failure.empty()) exit = {.how = of->failure};
    of->over = true;
    of->witness.reset();
    id.clear();
    cleaning = true;
    spawn(clean_up(shared_from_this(), of->id));
    if (parts.hooks.on_ended) parts.hooks.on_ended(of->id, exit);
    of->report.ended(exit);
  }

  Task<> clean_up(std::shared_ptr<State> self, std::string ended) {
    left.clear();
    try {
      if (parts.hooks.before_removal && !ended.empty()) co_await parts.hooks.before_removal(ended);
      if (parts.after_end == AfterEnd::remove && !ended.empty())
        co_await engine.remove(ended, true);
    } catch (const std::exception& error) {
      left = error.what();
    }
    self->cleaning = false;
    cleaned.notify();
  }

  Task<> signal(std::shared_ptr<State> self, RunPtr of, std::string name) {
    bool doubtful = false;
    try {
      co_await engine.kill(of->id, name);
    } catch (const EngineError&) {
      doubtful = true;  // gone, or the engine is away
    }
    if (doubtful) self->look_after(of);
  }

  asio::io_context& io;
  ContainerParts parts;
  container::Engine& engine;
  RunPtr run;
  std::string id;
  Wake cleaned;
  bool cleaning = false;
  bool forgotten = false;
  std::string left;  // why the last one could not be removed
};

ContainerExecutor::ContainerExecutor(asio::io_context& io, ContainerParts parts)
    : state_(std::make_shared<State>(io, std::move(parts))) {}

ContainerExecutor::~ContainerExecutor() {
  state_->forgotten = true;
  if (state_->run) {
    state_->run->over = true;
    state_->run->witness.reset();
  }
}

void ContainerExecutor::start(Report report) {
  auto run = std::make_shared<Run>();
  run->report = std::move(report);
  state_->run = run;
  state_->spawn(state_->begin(state_, run));
}

void ContainerExecutor::stop() {
  Run& run = *state_->run;
  run.stopping = true;
  if (!run.id.empty())
    state_->spawn(state_->signal(state_, state_->run, state_->parts.stop_signal));
}

void ContainerExecutor::kill() {
  Run& run = *state_->run;
  run.stopping = true;
  if (!run.id.empty()) state_->spawn(state_->signal(state_, state_->run, "KILL"));
}

Task<> ContainerExecutor::close() {
  const auto state = state_;
  while (state->cleaning) co_await state->cleaned.wait(1);
  if (!state->left.empty()) throw std::runtime_error(state->left);
}

const std::string& ContainerExecutor::id() const { return state_->id; }

void ContainerExecutor::tell_end(const std::string& container_id) {
  if (state_->run && state_->run->id == container_id) state_->look_after(state_->run);
}

}  // namespace controller::supervise
