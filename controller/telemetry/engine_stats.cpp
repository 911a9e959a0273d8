#include "controller/telemetry/engine_stats.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>
#include <mutex>
#include <utility>

namespace controller::telemetry {

namespace {

constexpr std::int64_t too_old_ns = 3'000'000'000;
// Within it a new value has come even where an engine counts at seconds of its own.
constexpr int interval_ms = 1500;

using Values = std::array<double, payload_columns>;

Values values_of(const container::ContainerStats& stats) {
  Values values;
  const auto set = [&](PayloadColumn column, const std::optional<double>& value) {
    values[column] = value.value_or(std::numeric_limits<double>::quiet_NaN());
  };
  set(cpu_seconds, stats.cpu_seconds);
  set(cpu_throttled_seconds, stats.cpu_throttled_seconds);
  set(memory_bytes, stats.memory_bytes);
  set(memory_max_bytes, stats.memory_max_bytes);
  set(io_read_bytes, stats.read_bytes);
  set(io_write_bytes, stats.written_bytes);
  set(pids, stats.pids);
  set(net_rx_bytes, stats.received_bytes);
  set(net_tx_bytes, stats.sent_bytes);
  return values;
}

// Between the service and the sampler's thread.
class LastAnswer {
 public:
  explicit LastAnswer(std::int64_t now_ns) : at_ns_(now_ns) {}

  void put(const Values& values, std::int64_t now_ns) {
    const std::scoped_lock lock(mutex_);
    values_ = values;
    at_ns_ = now_ns;
    untaken_ = true;
  }
  void end() {
    const std::scoped_lock lock(mutex_);
    ended_ = true;
  }
  int take(std::span<double> values, std::int64_t now_ns) {
    const std::scoped_lock lock(mutex_);
    const bool old = now_ns - at_ns_ > too_old_ns;
    if (std::exchange(untaken_, false) && !old) {
      std::ranges::copy(values_, values.begin());
      return 0;
    }
    if (ended_) return ESRCH;
    return old ? ENODATA : 0;
  }

 private:
  std::mutex mutex_;
  Values values_ = {};
  std::int64_t at_ns_;  // CLOCK_MONOTONIC
  bool untaken_ = false;
  bool ended_ = false;
};

class StatsSensor : public Sensor {
 public:
  StatsSensor(std::shared_ptr<LastAnswer> last, const campaign::Clock& clock)
      : last_(std::move(last)), clock_(clock) {}
  int read(std::span<double> values) override { return last_->take(values, clock_.monotonic_ns()); }

 private:
  std::shared_ptr<LastAnswer> last_;
  const campaign::Clock& clock_;
};

// False: there will be no more.
Task<bool> ask(const EngineStatsRequest& from, LastAnswer& last) {
  try {
    const auto stats =
        co_await container::with_timeout(from.engine->stats(from.container), from.patience);
    if (!stats) co_return true;
    if (!*stats) co_return false;
    last.put(values_of(**stats), from.clock->monotonic_ns());
    from.on_answer();
  } catch (const container::EngineError& error) {
    co_return !error.not_found();
  }
  co_return true;
}

Task<> keep_asking(supervise::ServiceContext& context, const EngineStatsRequest& from,
                   LastAnswer& last) {
  bool more = true;
  const auto once = [&]() -> Task<> { more = co_await ask(from, last); };
  while (more && !context.stopping()) {
    const double begin = from.clock->boottime();
    if (!co_await context.unless_stopped(once())) co_return;
    if (more)
      co_await context.wait(std::max(0.0, begin + from.seconds_between - from.clock->boottime()));
  }
  if (!more) last.end();
}

}  // namespace

EngineStats open_engine_stats(EngineStatsRequest request) {
  EngineStats stats{
      .found = {.source = {.name = request.source, .kind = campaign::engine_stats_kind},
                .columns = columns_of(request.source, request.counts),
                .sensor = nullptr},
      .asking = {}};
  for (campaign::TelemetryColumn& column : stats.found.columns) column.interval_ms = interval_ms;
  const auto last = std::make_shared<LastAnswer>(request.clock->monotonic_ns());
  stats.found.sensor = std::make_unique<StatsSensor>(last, *request.clock);
  const auto from = std::make_shared<const EngineStatsRequest>(std::move(request));
  stats.asking = [from, last](supervise::ServiceContext& context) -> Task<> {
    co_await keep_asking(context, *from, *last);
  };
  return stats;
}

}  // namespace controller::telemetry
