// What must hold for any schedule of crashes, hangs and wishes.
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "campaign/plan/random.hpp"
#include "controller/supervise/machine.hpp"

namespace controller::supervise {
namespace {

using Kind = Input::Kind;

// Carries out what a machine says, with services that behave as chance has it, and checks each
// step against what it knows of the services.
class World {
 public:
  explicit World(std::uint64_t seed)
      : random_(seed, 7), policy_(draw_policy()), machine_(policy_, draw_services()) {
    live_.resize(machine_.services().size());
  }

  void live() {
    send({.kind = Kind::start});
    for (int i = 0; i < 120 && !machine_.finished(); ++i) something_happens();
    if (machine_.state() == Machine::State::running) settles_with_nobody_forgotten();
    if (!machine_.finished()) ends_within_its_bounds();
    check_windows();
  }

 private:
  struct Live {
    bool up = false, asked = false, killed = false, by_wish = false;
    bool ended_well = false;
    double not_before = 0;
    bool deaf = false, immortal = false;
  };

  double chance() { return random_.next() / 4294967296.0; }
  int below(int n) { return static_cast<int>(random_.below(static_cast<std::uint32_t>(n))); }

  SupervisorPolicy draw_policy() {
    wishes_ = below(2) == 0;
    return {.name = "s",
            .strategy = static_cast<Strategy>(below(3)),
            .back_off = {.kind = static_cast<BackOff::Kind>(below(4)), .first = 1, .longest = 60},
            .healthy_for = 1.0 + below(20),
            .max_restarts = below(8),
            .window_seconds = 1.0 + below(100)};
  }
  std::vector<ServicePolicy> draw_services() {
    std::vector<ServicePolicy> services;
    const int count = 1 + below(5);
    for (int i = 0; i < count; ++i)
      services.push_back({.name = std::string(1, static_cast<char>('a' + i)),
                          .restart = static_cast<Restart>(below(3)),
                          .start_within = 1.0 + below(30),
                          .stop_within = 1.0 + below(10),
                          .kill_within = 1.0 + below(5)});
    return services;
  }

  const ServiceState& state(std::size_t i) const { return machine_.services()[i]; }

  void send(Input input) {
    if (input.kind == Kind::running || input.kind == Kind::ended)
      input.incarnation = state(input.service).incarnation;
    for (const Step& step : machine_.handle(input, {.now = now_, .chance = chance()})) check(step);
  }

  void end(std::size_t i, bool well) {
    live_[i].up = false;
    live_[i].ended_well = well;
    send({.kind = Kind::ended, .service = i, .exit = {.well = well, .how = "x"}});
  }

  void check(const Step& step) {
    const std::size_t i = step.service;
    switch (step.what) {
      case Step::What::start:
        return check_start(i, step);
      case Step::What::stop:
        EXPECT_TRUE(live_[i].up);
        for (std::size_t j = i + 1; j < live_.size(); ++j) {
          const bool still_up = live_[j].up && !lost_.contains(j);
          EXPECT_FALSE(still_up && (stopping_ || live_[j].asked || live_[j].killed))
              << "stopped before a later one had ended";
        }
        live_[i].asked = true;
        return;
      case Step::What::kill:
        EXPECT_TRUE(live_[i].up);
        live_[i].killed = true;
        return;
      case Step::What::back_off:
        check_back_off(step);
        live_[i].not_before = now_ + step.delay;
        return;
      case Step::What::lost:
        EXPECT_TRUE(live_[i].killed);
        lost_.insert(i);
        return;
      case Step::What::give_up:
        gave_up_ = stopping_ = true;
        return;
      default:
        return;
    }
  }

  void check_start(std::size_t i, const Step& step) {
    EXPECT_FALSE(live_[i].up) << "two of one service";
    EXPECT_FALSE(gave_up_ || stopping_) << "a start after the end";
    if (!live_[i].by_wish) EXPECT_GE(now_ + 1e-9, live_[i].not_before);
    if (policy_.strategy != Strategy::one_for_one) {
      for (std::size_t j = 0; j < live_.size(); ++j) {
        EXPECT_FALSE(live_[j].up && (live_[j].asked || live_[j].killed))
            << "a group is down before it starts";
        const bool served = state(j).phase == Phase::running || !state(j).wanted;
        if (j < i) EXPECT_TRUE(served) << "started before an earlier one serves";
      }
    }
    const bool again = state(i).incarnation > 1;
    const bool crash = step.cause.starts_with("restart after");
    if (crash || (again && policy_.strategy == Strategy::one_for_one && !wishes_))
      restarts_.push_back(now_);
    live_[i] = {.up = true, .deaf = below(4) == 0, .immortal = below(25) == 0};
  }

  void check_back_off(const Step& step) {
    if (policy_.back_off.kind == BackOff::Kind::immediate) {
      EXPECT_EQ(step.delay, 0);
    } else {
      EXPECT_GE(step.delay, policy_.back_off.first);
      EXPECT_LE(step.delay, policy_.back_off.longest);
    }
  }

  void advance(double to) {
    now_ = to;
    send({.kind = Kind::tick});
  }

  void something_happens() {
    const auto i = static_cast<std::size_t>(below(static_cast<int>(live_.size())));
    Live& service = live_[i];
    switch (below(6)) {
      case 0:
      case 1:
        if (service.up && state(i).phase == Phase::starting)
          send({.kind = Kind::running, .service = i});
        return;
      case 2:
        if (service.up && !(service.killed && service.immortal)) end(i, below(2) == 0);
        return;
      case 3:
        if (wishes_ && below(4) == 0) {
          for (Live& one : live_) one.by_wish = true;
          send({.kind = Kind::restart, .service = i});
        }
        return;
      case 4:
        return obey_all();
      default:
        if (std::isfinite(machine_.next_deadline()) && below(2) == 0)
          return advance(machine_.next_deadline());
        return advance(now_ + chance() * 10);
    }
  }

  // Those that were asked to end, or were killed, do so unless it is not in their nature.
  void obey_all() {
    for (std::size_t i = 0; i < live_.size(); ++i) {
      const Live& service = live_[i];
      if (!service.up || service.immortal) continue;
      if (service.killed || (service.asked && !service.deaf)) end(i, false);
    }
  }

  void settles_with_nobody_forgotten() {
    for (int round = 0; round < 200 && !machine_.finished(); ++round) {
      for (Live& service : live_) service.immortal = service.deaf = false;
      obey_all();
      for (std::size_t i = 0; i < live_.size(); ++i)
        if (live_[i].up && state(i).phase == Phase::starting)
          send({.kind = Kind::running, .service = i});
      if (std::isfinite(machine_.next_deadline())) advance(machine_.next_deadline());
    }
    if (machine_.state() != Machine::State::running) return;
    for (std::size_t i = 0; i < live_.size(); ++i) {
      const Restart rule = state(i).policy.restart;
      const bool may_rest =
          rule == Restart::temporary || (rule == Restart::transient && live_[i].ended_well);
      EXPECT_TRUE((live_[i].up && state(i).phase == Phase::running) || may_rest)
          << state(i).policy.name << " was forgotten as " << to_text(state(i).phase);
    }
    EXPECT_FALSE(std::isfinite(machine_.next_deadline()));
  }

  void ends_within_its_bounds() {
    const bool hurry = below(4) == 0;
    double bound = 0;
    for (const ServiceState& service : machine_.services())
      bound += service.policy.kill_within + (hurry ? 0 : service.policy.stop_within);
    const double begin = now_;
    stopping_ = !hurry;
    send({.kind = hurry ? Kind::hurry : Kind::stop});
    for (int i = 0; i < 1000 && !machine_.finished(); ++i) {
      obey_all();
      if (std::isfinite(machine_.next_deadline())) advance(machine_.next_deadline());
    }
    EXPECT_TRUE(machine_.finished());
    EXPECT_LE(now_ - begin, bound + 1e-9);
    for (std::size_t i = 0; i < live_.size(); ++i)
      EXPECT_TRUE(!live_[i].up || lost_.contains(i)) << "left behind and not told";
  }

  void check_windows() const {
    for (std::size_t first = 0; first < restarts_.size(); ++first) {
      int within = 0;
      for (std::size_t i = first; i < restarts_.size(); ++i)
        if (restarts_[i] - restarts_[first] < policy_.window_seconds) ++within;
      EXPECT_LE(within, *policy_.max_restarts);
    }
  }

  campaign::Pcg32 random_;
  bool wishes_ = false;
  SupervisorPolicy policy_;
  Machine machine_;
  double now_ = 0;
  std::vector<Live> live_;
  std::set<std::size_t> lost_;
  std::vector<double> restarts_;
  bool gave_up_ = false, stopping_ = false;
};

TEST(AnySchedule, KeepsWhatASupervisorPromises) {
  constexpr std::uint64_t schedules = 20'000;
  for (std::uint64_t seed = 0; seed < schedules; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    World(seed).live();
    if (::testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace controller::supervise
