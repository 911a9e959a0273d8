#include "container/ephemeral.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <cstdio>
#include <ctime>

namespace container {

namespace asio = boost::asio;

namespace {

Task<> pause_for(double seconds) {
  asio::steady_timer timer(co_await asio::this_coro::executor);
  timer.expires_after(std::chrono::duration_cast<std::chrono::steady_clock::duration>(
      std::chrono::duration<double>(seconds)));
  co_await timer.async_wait(asio::use_awaitable);
}

double steady_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Shared by the witness and the coroutine that waits for it: whichever is left last frees the wait.
struct Watch {
  std::unique_ptr<PendingWait> wait;
  OnExit on_exit;
  bool cancelled = false;
};

Task<> await_exit(std::shared_ptr<Watch> watch) {
  try {
    co_await watch->wait->result();
  } catch (const std::exception&) {
    // A wait that broke says nothing of the container: the owner inspects.
  }
  if (!watch->cancelled) watch->on_exit();
}

class Witness : public ExitWitness {
 public:
  explicit Witness(std::shared_ptr<Watch> watch) : watch_(std::move(watch)) {}
  ~Witness() override {
    watch_->cancelled = true;
    watch_->on_exit = nullptr;
    watch_->wait->cancel();
  }

 private:
  std::shared_ptr<Watch> watch_;
};

Task<std::unique_ptr<ExitWitness>> witness(std::unique_ptr<PendingWait> wait, OnExit on_exit) {
  auto watch = std::make_shared<Watch>();
  watch->wait = std::move(wait);
  watch->on_exit = std::move(on_exit);
  asio::co_spawn(co_await asio::this_coro::executor, await_exit(watch), asio::detached);
  co_return std::make_unique<Witness>(watch);
}

}  // namespace

double parse_engine_time(const std::string& text) {
  std::tm tm{};
  double seconds = 0;
  char zone[8] = "";
  int year = 0;
  const int read = std::sscanf(text.c_str(), "%d-%d-%dT%d:%d:%lf%7s", &year, &tm.tm_mon,
                               &tm.tm_mday, &tm.tm_hour, &tm.tm_min, &seconds, zone);
  if (read < 6 || year < 1970) return 0;
  tm.tm_year = year - 1900;
  tm.tm_mon -= 1;
  double offset = 0;
  int hours = 0, minutes = 0;
  if ((zone[0] == '+' || zone[0] == '-') && std::sscanf(zone + 1, "%d:%d", &hours, &minutes) == 2)
    offset = (zone[0] == '-' ? -1 : 1) * (hours * 3600.0 + minutes * 60.0);
  return static_cast<double>(timegm(&tm)) + seconds - offset;
}

Ending ending_of(const ContainerState& state) {
  Ending ending{.exit_code = state.exit_code,
                .oom_killed = state.oom_killed,
                .error = state.error,
                .started_utc = parse_engine_time(state.started_at),
                .finished_utc = parse_engine_time(state.finished_at)};
  switch (state.status) {
    case ContainerStatus::exited:
    case ContainerStatus::dead:
      ending.kind = Ending::Kind::exited;
      break;
    case ContainerStatus::created:
      ending.kind = state.error.empty() && state.exit_code == 0 ? Ending::Kind::running
                                                                : Ending::Kind::start_failed;
      break;
    default:
      ending.kind = Ending::Kind::running;
  }
  return ending;
}

Task<Ending> look(Engine& engine, const std::string& id) {
  try {
    co_return ending_of(co_await engine.inspect(id));
  } catch (const EngineError& error) {
    if (!error.not_found()) throw;
  }
  co_return Ending{.kind = Ending::Kind::gone, .error = "the engine does not have it any more"};
}

Task<std::string> create_fenced(Engine& engine, const ContainerSpec& spec, const Ours& ours) {
  std::string conflict;
  try {
    co_return co_await engine.create(spec);
  } catch (const EngineError& error) {
    if (!error.conflict()) throw;
    conflict = error.what();
  }
  const ContainerState found = co_await engine.inspect(spec.name);
  if (!ours(found.labels))
    throw EngineError(409, "a container named " + spec.name + " is there and is not ours (" +
                               found.id.substr(0, 12) + "): remove or rename it (" + conflict +
                               ")");
  if (found.status == ContainerStatus::exited || found.status == ContainerStatus::dead)
    throw EngineError(409, "container " + spec.name + " has run already");
  co_return found.id;
}

Task<> put_files(Engine& engine, std::string id, std::vector<TarFile> files) {
  if (!files.empty()) co_await engine.put_archive(id, "/", make_tar(files));
}

namespace {

// Kind running: it was started, now or before.
Task<Ending> start_now(Engine& engine, const std::string& id) {
  std::optional<EngineError> failure;
  try {
    co_await engine.start(id);
  } catch (const EngineError& error) {
    if (error.unreachable()) throw;
    failure = error;
  }
  if (!failure) co_return Ending{};
  Ending ending = co_await look(engine, id);
  if (ending.kind == Ending::Kind::running) ending.kind = Ending::Kind::start_failed;
  if (ending.error.empty()) ending.error = failure->what();
  co_return ending;
}

// One that has gone meanwhile needs no signal.
Task<> kill_if_there(Engine& engine, const std::string& id, const std::string& signal) {
  try {
    co_await engine.kill(id, signal);
  } catch (const EngineError& error) {
    if (!error.not_found()) throw;
  }
}

}  // namespace

Task<std::unique_ptr<ExitWitness>> watch_first_exit(Engine& engine, const std::string& id,
                                                    OnExit on_exit) {
  auto wait = co_await engine.wait(id, WaitCondition::first_exit);
  co_return co_await witness(std::move(wait), std::move(on_exit));
}

Task<Started> start_under(Engine& engine, const std::string& id,
                          std::unique_ptr<ExitWitness> witness) {
  Started started;
  started.ending = co_await start_now(engine, id);
  if (started.ending.kind == Ending::Kind::running) started.witness = std::move(witness);
  co_return started;
}

Task<Started> start_watched(Engine& engine, const std::string& id, OnExit on_exit) {
  auto wait = co_await engine.wait(id, WaitCondition::next_exit);
  auto witness_of_it = co_await witness(std::move(wait), std::move(on_exit));
  co_return co_await start_under(engine, id, std::move(witness_of_it));
}

Task<Started> adopt_watched(Engine& engine, const std::string& id, OnExit on_exit) {
  constexpr double limit = 30, step = 0.05;
  Started started;
  for (double waited = 0;; waited += step) {
    ContainerState state;
    try {
      state = co_await engine.inspect(id);
    } catch (const EngineError& error) {
      if (!error.not_found()) throw;
      started.ending = Ending{.kind = Ending::Kind::gone};
      co_return started;
    }
    started.ending = ending_of(state);
    if (started.ending.kind != Ending::Kind::running) co_return started;
    if (state.status == ContainerStatus::running) break;
    if (state.status == ContainerStatus::paused) co_await engine.unpause(id);
    if (state.status == ContainerStatus::created) {
      started.ending = co_await start_now(engine, id);
      if (started.ending.kind != Ending::Kind::running) co_return started;
    }
    if (waited >= limit)
      throw EngineError(500, "container " + id.substr(0, 12) + " neither runs nor ends");
    co_await pause_for(step);
  }
  auto wait = co_await engine.wait(id, WaitCondition::not_running);
  started.witness = co_await witness(std::move(wait), std::move(on_exit));
  co_return started;
}

Task<Ending> stop_verified(Engine& engine, const std::string& id, const StopLimits& limits) {
  const double begin = steady_seconds();
  bool killed = limits.grace <= 0;
  co_await kill_if_there(engine, id, killed ? "KILL" : limits.signal);
  double kill_time = begin;
  for (double step = 0.005;; step = std::min(step * 1.5, 0.1)) {
    Ending ending = co_await look(engine, id);
    if (ending.kind != Ending::Kind::running) co_return ending;
    const double now = steady_seconds();
    if (!killed && (now - begin >= limits.grace || (limits.hurry && limits.hurry()))) {
      co_await kill_if_there(engine, id, "KILL");
      killed = true;
      kill_time = now;
    } else if (killed && now - kill_time > limits.give_up) {
      throw EngineError(500, "container " + id.substr(0, 12) + " does not die: it was killed " +
                                 std::to_string(static_cast<int>(now - kill_time)) + " s ago");
    }
    co_await pause_for(step);
  }
}

}  // namespace container
