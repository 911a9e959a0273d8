// Keeps the distance to the last run on the same devices, counted from its end. The deadline is
// journalled before the wait, how it ended with the start of the run.
#include <algorithm>
#include <cmath>
#include <limits>

#include "controller/stages/stage.hpp"
#include "controller/telemetry/recorder.hpp"
#include "controller/thermal/gate.hpp"
#include "controller/thermal/rules.hpp"
#include "controller/thermal/thermometer.hpp"

namespace controller {

namespace {

using thermal::Decision;
using thermal::GapRules;
using thermal::GateRules;
using thermal::Temperatures;
using Kind = GapRules::Kind;

// None = no run has ended on them. What an earlier controller saw end may have been on any device.
std::optional<double> last_end(const RunContext& context, const Attempt& attempt) {
  if (attempt.devices.empty())
    return context.workers[static_cast<std::size_t>(attempt.worker)].finished_boottime;
  std::optional<double> last;  // none is less than any
  for (const gpu::Device& device : attempt.devices) {
    const auto at = context.device_finished.find(device.uuid);
    last = std::max(last, at == context.device_finished.end() ? context.finished_before
                                                              : std::optional(at->second));
  }
  return last;
}

// Journals have no room for more.
double hundredths(double seconds) { return std::round(seconds * 100) / 100; }

bool is_resumed(const RunContext& context, const Attempt& attempt) {
  return context.resumed_gap && context.resumed_gap_run == attempt.run;
}

// Whether a resumed run crosses into a cycle, only the length of its journalled gap tells: the
// controller that claimed it entered the cycle.
GapRules rules_of(const RunContext& context, const Attempt& attempt) {
  thermal::GapQuestion question{.campaign = context.campaign,
                                .crosses = attempt.crosses,
                                .devices = !attempt.devices.empty()};
  const GapRules usual = thermal::gap_before(question);
  if (!is_resumed(context, attempt) || context.resumed_gap->length <= usual.length) return usual;
  question.crosses = true;
  GapRules longer = thermal::gap_before(question);
  longer.length = std::min(longer.length, context.resumed_gap->length);
  return longer;
}

class Gap {
 public:
  Gap(RunContext& context, Attempt& attempt)
      : context_(context),
        attempt_(attempt),
        last_(last_end(context, attempt)),
        rules_(rules_of(context, attempt)) {}

  // Until the run may start. Throws ReleasedBeforeStart when the session is to stop.
  Task<campaign::GapEnd> keep() {
    campaign::GapEnd end;
    if (wants_warmth()) {
      const Waiting waiting(context_, attempt_.worker,
                            {.reason = "gap: the temperature sensors are asked"});
      co_await read(patience());
    }
    if (last_ && rules_.kind != Kind::none) end.reason = co_await wait();
    if (!last_ && rules_.kind != Kind::none) end.reason = "first run";
    const bool waited = last_ && rules_.kind == Kind::fixed;  // without a look at them
    if ((co_await rest() || waited) && warmth_) co_await read();
    if (last_) end.seconds = hundredths(context_.clock->boottime() - *last_);
    end.celsius = warmth_.celsius();
    co_return end;
  }

 private:
  // Of the first reading: it may be the driver's first as well, and is part of the gap.
  double patience() const {
    constexpr double least = 5;
    if (!last_) return std::numeric_limits<double>::infinity();
    return std::max(least, *last_ + rules_.length - context_.clock->boottime());
  }

  bool wants_warmth() const {
    return rules_.kind == Kind::adaptive ||
           (context_.temperatures_of && (rules_.kind != Kind::none || !attempt_.devices.empty()));
  }

  void release_when_stopped() {
    if (context_.stop->no_new_runs()) throw ReleasedBeforeStart();
  }

  // Without a temperature an adaptive gap goes on as a fixed one.
  Task<> read(double most = std::numeric_limits<double>::infinity()) {
    if (context_.temperatures_of)
      warmth_ = co_await context_.temperatures_of(attempt_, most);
    else
      warmth_.why = "no sensor is asked";
    release_when_stopped();
    if (warmth_ || rules_.kind != Kind::adaptive) co_return;
    rules_ = thermal::without_sensor(rules_);
    const std::string text = "gap: fixed, as no temperature can be read: " + warmth_.why;
    attempt_.notes.push_back(text);
    if (std::exchange(context_.sensor_notice, text) != text) context_.progress->note(text);
  }

  bool takes_up() const {
    return is_resumed(context_, attempt_) && context_.resumed_gap->length == rules_.length;
  }

  campaign::Deadline deadline() const {
    if (takes_up()) return *context_.resumed_gap;
    const double now = context_.clock->boottime();
    const double until = std::clamp(*last_ + rules_.length, now, now + rules_.length);
    return {.boottime = until,
            .boot = context_.clock->boot_id(),
            .utc = context_.clock->utc() + (until - now),
            .length = rules_.length};
  }

  thermal::Gate make_gate(const campaign::Deadline& deadline) const {
    const bool adaptive = rules_.kind == Kind::adaptive;
    const campaign::Thermal& settings = context_.campaign->thermal;
    GateRules rules{.mode = adaptive ? GateRules::Mode::adaptive : GateRules::Mode::fixed,
                    .until = context_.clock->boottime() + seconds_left(deadline, *context_.clock),
                    .not_before = *last_ + rules_.least,
                    .band_c = settings.band_c,
                    .stable_c_per_min = settings.stable_c_per_min,
                    .chips = {}};
    const auto& first = context_.ledger->fold().first_warmth;
    for (const thermal::Temperature& one : warmth_.all) {
      GateRules::Chip& chip = rules.chips.emplace_back();
      chip.label = one.label;
      chip.target_c = settings.target_c;
      if (const auto at = first.find(one.sensor); !chip.target_c && at != first.end())
        chip.target_c = at->second.celsius;
    }
    if (!adaptive) rules.chips.clear();
    return thermal::Gate(std::move(rules));
  }

  // How the gap ended.
  Task<std::string> wait() {
    Waiting waiting(context_, attempt_.worker);
    std::vector<std::string> sensors;
    for (const thermal::Temperature& one : warmth_.all) sensors.push_back(one.sensor);
    for (;;) {
      const Kind kind = rules_.kind;
      const campaign::Deadline until = deadline();
      thermal::Gate gate = make_gate(until);
      bool journalled = false;
      while (kind == rules_.kind) {
        const Decision decision = gate.feed(context_.clock->boottime(), values_of(sensors));
        if (decision.go()) co_return thermal::name_of(decision.why);
        if (!std::exchange(journalled, true)) journal(until);
        waiting.show({.reason = decision.text,
                      .until_utc = context_.clock->utc() + decision.seconds_left,
                      .end = decision.end});
        const double left = seconds_left(until, *context_.clock);
        const bool polls = kind == Kind::adaptive;
        co_await pause(polls ? std::min(thermal::poll_seconds, left) : left);
        if (polls && left > thermal::poll_seconds) co_await read(left - thermal::poll_seconds);
      }
    }
  }

  std::vector<double> values_of(const std::vector<std::string>& sensors) const {
    const std::map<std::string, double> celsius = warmth_.celsius();
    std::vector<double> values;
    for (const std::string& sensor : sensors) {
      const auto at = celsius.find(sensor);
      values.push_back(at == celsius.end() ? std::numeric_limits<double>::quiet_NaN() : at->second);
    }
    return values;
  }

  void journal(const campaign::Deadline& until) {
    const char* reason = rules_.kind == Kind::adaptive ? "adaptive" : "fixed";
    context_.ledger->append(campaign::event::GapStarted{.run = attempt_.run,
                                                        .attempt = attempt_.number,
                                                        .until = until,
                                                        .reason = takes_up() ? "resumed" : reason});
  }

  Task<> pause(double seconds) {
    const double end = context_.clock->boottime() + seconds;
    for (double left = seconds; left > 0; left = end - context_.clock->boottime()) {
      release_when_stopped();
      co_await context_.wake->wait(left);
    }
    release_when_stopped();
  }

  // The machine and the run's GPUs without any run, for what is taken off their energy. True when
  // they were measured.
  Task<bool> rest() {
    if (!context_.recorder || !context_.under_way.empty() ||
        context_.recorder->seconds_of_rest(attempt_.devices) <= 0)
      co_return false;
    const Waiting waiting(context_, attempt_.worker, {.reason = "the machine is measured at rest"});
    co_await context_.recorder->measure_rest(attempt_.devices,
                                             [&] { return context_.stop->no_new_runs(); });
    release_when_stopped();
    co_return true;
  }

  RunContext& context_;
  Attempt& attempt_;
  const std::optional<double> last_;
  GapRules rules_;
  Temperatures warmth_;
};

class GapStage : public Stage {
 public:
  const char* name() const override { return "gap"; }
  Part part() const override { return Part::before; }

  Task<> run(RunContext& context, Attempt& attempt) override {
    Gap gap(context, attempt);
    attempt.gap = co_await gap.keep();
    if (is_resumed(context, attempt)) context.resumed_gap.reset();
  }
};

}  // namespace

std::unique_ptr<Stage> make_gap_stage() { return std::make_unique<GapStage>(); }

}  // namespace controller
