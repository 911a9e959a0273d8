#include "controller/supervise/log_pump.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <deque>
#include <limits>
#include <system_error>

namespace controller::supervise {

struct LogPump::State {
  explicit State(LogPumpParts its_parts) : parts(std::move(its_parts)) {}
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() {
    if (fd >= 0) ::close(fd);
  }

  [[noreturn]] void fail() const {
    throw std::system_error(errno, std::generic_category(), parts.file);
  }

  void open() {
    if (fd >= 0) return;
    fd = ::open(parts.file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0) fail();
    struct stat status{};
    kept = ::fstat(fd, &status) == 0 ? status.st_size : 0;
  }

  void write(std::string_view data) {
    while (!data.empty()) {
      const ssize_t size = ::write(fd, data.data(), data.size());
      if (size < 0 && errno == EINTR) continue;
      if (size < 0) fail();
      kept += size;
      data.remove_prefix(static_cast<std::size_t>(size));
    }
  }

  // `seen` moves with what is in the file, so that a failed write is tried again.
  void take(std::string_view data) {
    const auto room = static_cast<std::size_t>(std::max<std::int64_t>(parts.cap - kept, 0));
    const std::string_view fits = data.substr(0, room);
    const std::int64_t before = kept;
    try {
      write(fits);
    } catch (...) {
      seen += kept - before;
      throw;
    }
    seen += static_cast<std::int64_t>(data.size());
    if (fits.size() == data.size()) return;
    if (dropped == 0)
      write("\n[campaignctl: output beyond " + std::to_string(parts.cap) + " bytes was dropped]\n");
    dropped += static_cast<std::int64_t>(data.size() - fits.size());
  }

  // Until a moment after the container is known to have ended.
  Task<> left_open(std::string id) {
    constexpr double settle_seconds = 0.5;
    while (over != id) co_await changed.wait(std::numeric_limits<double>::infinity());
    co_await container::sleep_for(settle_seconds);
  }

  Task<> copy_all(std::string id) {
    if (co_await container::finished_before(copy(id), left_open(id))) co_return;
    const std::string all = co_await parts.engine->logs(id, -1);
    take(std::string_view(all).substr(std::min(all.size(), static_cast<std::size_t>(seen))));
  }

  Task<> copy(std::string id) {
    const auto stream = co_await parts.engine->follow_logs(id);
    std::int64_t skip = seen;
    while (const auto chunk = co_await stream->next()) {
      std::string_view data = chunk->data;
      const auto known = std::min<std::int64_t>(skip, static_cast<std::int64_t>(data.size()));
      skip -= known;
      data.remove_prefix(static_cast<std::size_t>(known));
      take(data);
    }
  }

  Task<> carry_out(ServiceContext& context) {
    open();
    context.ready();
    while (!context.stopping()) {
      if (to_follow.empty()) {
        co_await context.unless_stopped(changed.wait(std::numeric_limits<double>::infinity()));
        continue;
      }
      if (to_follow.front() != last) seen = 0;
      last = to_follow.front();
      try {
        if (!co_await context.unless_stopped(copy_all(to_follow.front()))) co_return;
      } catch (const container::EngineError& error) {
        if (!error.not_found()) throw;
      }
      to_follow.pop_front();
      changed.notify();
    }
  }

  LogPumpParts parts;
  int fd = -1;
  std::deque<std::string> to_follow;
  std::string last;       // followed last
  std::string over;       // has ended
  std::int64_t seen = 0;  // bytes of its output
  std::int64_t kept = 0, dropped = 0;
  Wake changed;
};

LogPump::LogPump(LogPumpParts parts) : state_(std::make_shared<State>(std::move(parts))) {}

ServiceBody LogPump::body() const {
  return [state = state_](ServiceContext& context) { return state->carry_out(context); };
}

void LogPump::follow(const std::string& id) {
  state_->to_follow.push_back(id);
  state_->changed.notify();
}

Task<> LogPump::drained(std::string id, double seconds) const {
  const auto state = state_;
  state->over = id;
  state->changed.notify();
  const auto until_gone = [](std::shared_ptr<State> of, std::string what) -> Task<> {
    while (std::ranges::find(of->to_follow, what) != of->to_follow.end())
      co_await of->changed.wait(1);
  };
  co_await container::finished_within(until_gone(state, std::move(id)), seconds);
}

std::int64_t LogPump::kept() const { return state_->kept; }

std::int64_t LogPump::dropped() const { return state_->dropped; }

}  // namespace controller::supervise
