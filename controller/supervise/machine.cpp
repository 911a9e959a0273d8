#include "controller/supervise/machine.hpp"

#include <algorithm>
#include <limits>
#include <stdexcept>

namespace controller::supervise {

namespace {

constexpr double never = std::numeric_limits<double>::infinity();

bool ending(const ServiceState& service) {
  return service.phase == Phase::stopping || service.phase == Phase::killing;
}

bool alive(const ServiceState& service) {
  return service.phase == Phase::starting || service.phase == Phase::running || ending(service);
}

void wait_for_start(ServiceState& service) {
  service.phase = Phase::waiting;
  service.until = service.not_before;
}

bool to_start(const ServiceState& service) {
  return service.wanted && (service.phase == Phase::stopped || service.phase == Phase::waiting);
}

// " within 60 s"; "" where all restarts count, however long ago.
std::string within(const SupervisorPolicy& policy) {
  return policy.window_seconds == never ? "" : " within " + seconds_text(policy.window_seconds);
}

}  // namespace

Machine::Machine(SupervisorPolicy policy, const std::vector<ServicePolicy>& services)
    : policy_(std::move(policy)) {
  for (const ServicePolicy& service : services) services_.push_back({.policy = service});
}

std::size_t Machine::index_of(const std::string& service) const {
  for (std::size_t i = 0; i < services_.size(); ++i)
    if (services_[i].policy.name == service) return i;
  throw std::out_of_range("supervisor " + policy_.name + " has no service " + service);
}

std::vector<Step> Machine::handle(const Input& input, Moment moment) {
  moment_ = moment;
  steps_.clear();
  if (finished()) return {};
  apply(input);
  expire();
  while (stop_one() || start_one()) {
  }
  const bool down = state_ == State::stopping || state_ == State::giving_up;
  if (down && std::ranges::none_of(services_, alive)) {
    state_ = state_ == State::stopping ? State::stopped : State::gave_up;
    step(Step::What::finished, 0);
  }
  return std::move(steps_);
}

void Machine::apply(const Input& input) {
  switch (input.kind) {
    case Input::Kind::start:
      return begin();
    case Input::Kind::running:
      return on_running(input.service, input.incarnation);
    case Input::Kind::ended:
      return on_ended(input.service, input);
    case Input::Kind::restart:
      return restart_wanted(input.service);
    case Input::Kind::hurry:
      hurry_ = true;
      for (ServiceState& service : services_)
        if (service.phase == Phase::stopping) service.until = moment_.now;
      return wind_down(State::stopping);
    case Input::Kind::stop:
      return wind_down(State::stopping);
    case Input::Kind::tick:
      return;
  }
}

void Machine::begin() {
  if (state_ != State::idle) return;
  state_ = State::running;
  for (ServiceState& service : services_) {
    service.wanted = true;
    service.first = true;
    service.cause = "first start";
  }
}

void Machine::on_running(std::size_t i, int incarnation) {
  ServiceState& service = services_[i];
  if (incarnation != service.incarnation || service.phase != Phase::starting) return;
  service.phase = Phase::running;
  service.first = false;
  service.since = moment_.now;
  service.until = service.restarts_in_a_row > 0 ? moment_.now + policy_.healthy_for : never;
  step(Step::What::running, i);
}

void Machine::on_ended(std::size_t i, const Input& input) {
  ServiceState& service = services_[i];
  if (input.incarnation != service.incarnation) return;
  if (!alive(service) && service.phase != Phase::lost) return;
  const bool by_itself = (!ending(service) && service.phase != Phase::lost) || service.overdue;
  if (service.phase == Phase::running && moment_.now - service.since >= policy_.healthy_for)
    service.restarts_in_a_row = 0;
  service.phase = Phase::stopped;
  service.first = false;
  service.overdue = false;
  step(Step::What::ended, i, input.exit.how);
  if (by_itself && !service.cycling) return crashed(i, input.exit);
  if (service.cycling && service.wanted) wait_for_start(service);
  service.cycling = false;
}

bool Machine::spent() const {
  return finished() || std::all_of(services_.begin(), services_.end(), [](const auto& service) {
           return service.phase == Phase::done;
         });
}

void Machine::crashed(std::size_t i, const Exit& exit) {
  ServiceState& service = services_[i];
  if (!service.wanted) return;
  const Restart rule = service.policy.restart;
  if (rule == Restart::temporary || (rule == Restart::transient && exit.well)) {
    service.wanted = false;
    service.phase = Phase::done;
    return step(Step::What::done, i, to_text(rule) + ", " + exit.how);
  }
  const double delay = delay_of(policy_.back_off, ++service.restarts_in_a_row, moment_.chance);
  const double due = moment_.now + delay;
  if (!allowed(due)) {
    return give_up(service.policy.name + " ended (" + exit.how + ") and has used up its " +
                   std::to_string(*policy_.max_restarts) + " restarts" + within(policy_));
  }
  service.not_before = due;
  wait_for_start(service);
  service.counted = true;
  service.cause = "restart after " + exit.how;
  step(Step::What::back_off, i, exit.how);
  steps_.back().delay = delay;
  cycle_others(i, due, service.policy.name + " is restarted");
}

void Machine::restart_wanted(std::size_t i) {
  ServiceState& service = services_[i];
  if (state_ != State::running || service.phase == Phase::lost) return;
  service.wanted = true;
  service.cause = "a restart was asked for";
  if (service.phase == Phase::starting || service.phase == Phase::running) service.cycling = true;
  service.not_before = moment_.now;
  if (service.phase == Phase::done || service.phase == Phase::waiting) wait_for_start(service);
  cycle_others(i, moment_.now, service.policy.name + " is restarted");
}

// Those that the strategy restarts with `i`: the living are stopped first, those that wait wait
// until `due` as well. One that is never restarted ends for good.
void Machine::cycle_others(std::size_t i, double due, const std::string& cause) {
  for (std::size_t j = 0; j < services_.size(); ++j) {
    ServiceState& other = services_[j];
    if (j == i || !in_group(i, j) || other.phase == Phase::lost) continue;
    if (other.policy.restart == Restart::temporary) {
      if (alive(other)) other.wanted = false;
      continue;
    }
    other.not_before = other.counted ? std::max(other.not_before, due) : due;
    other.wanted = true;
    if (alive(other))
      other.cycling = true;
    else
      wait_for_start(other);
    if (!other.counted) other.cause = cause;
  }
}

void Machine::wind_down(State state) {
  if (state_ == State::idle || state_ == State::running) state_ = state;
  for (ServiceState& service : services_) {
    service.wanted = false;
    service.cycling = false;
    if (service.phase == Phase::waiting) service.phase = Phase::stopped;
  }
}

void Machine::give_up(const std::string& reason) {
  step(Step::What::give_up, 0, reason);
  wind_down(State::giving_up);
}

void Machine::expire() {
  for (std::size_t i = services_.size(); i-- > 0;)
    if (services_[i].until <= moment_.now) expire(i);
}

void Machine::expire(std::size_t i) {
  ServiceState& service = services_[i];
  switch (service.phase) {
    case Phase::running:
      if (service.restarts_in_a_row > 0) step(Step::What::healthy, i);
      service.restarts_in_a_row = 0;
      service.until = never;
      return;
    case Phase::starting:
    case Phase::stopping:
      service.overdue = service.phase == Phase::starting;
      step(Step::What::kill, i,
           service.overdue ? "did not start within " + seconds_text(service.policy.start_within)
           : hurry_        ? "in a hurry"
                           : "did not end within " + seconds_text(service.policy.stop_within));
      service.phase = Phase::killing;
      service.until = moment_.now + service.policy.kill_within;
      return;
    case Phase::killing:
      service.phase = Phase::lost;
      service.until = never;
      step(Step::What::lost, i, "lives on though it was killed");
      if (state_ == State::running) give_up(service.policy.name + " does not die");
      return;
    default:
      return;
  }
}

bool Machine::to_stop(const ServiceState& service) const {
  const bool up = service.phase == Phase::starting || service.phase == Phase::running;
  return up && (!service.wanted || service.cycling);
}

// From the last to the first, each once the one after it has ended; in a hurry all at once.
bool Machine::stop_one() {
  for (std::size_t i = services_.size(); i-- > 0;) {
    ServiceState& service = services_[i];
    if (!hurry_ && ending(service)) return false;
    if (!to_stop(service)) continue;
    service.phase = hurry_ ? Phase::killing : Phase::stopping;
    service.until =
        moment_.now + (hurry_ ? service.policy.kill_within : service.policy.stop_within);
    step(hurry_ ? Step::What::kill : Step::What::stop, i,
         service.cycling ? service.cause : "shutdown");
    return true;
  }
  return false;
}

bool Machine::start_one() {
  if (state_ != State::running) return false;
  for (std::size_t i = 0; i < services_.size(); ++i) {
    if (!may_start(i)) continue;
    start(i);
    return true;
  }
  return false;
}

// First starts wait for each other, and so do those of a group; a group is down before it starts.
bool Machine::may_start(std::size_t i) const {
  const ServiceState& service = services_[i];
  if (!to_start(service)) return false;
  if (service.phase == Phase::waiting && service.until > moment_.now) return false;
  const bool group = policy_.strategy != Strategy::one_for_one;
  for (std::size_t j = 0; j < services_.size(); ++j) {
    const ServiceState& other = services_[j];
    if (group && (ending(other) || to_stop(other))) return false;
    const bool ordered = group || (service.first && other.first);
    if (j < i && ordered && (other.phase == Phase::starting || to_start(other))) return false;
  }
  return true;
}

void Machine::start(std::size_t i) {
  ServiceState& service = services_[i];
  if (service.counted && !allowed(moment_.now)) {
    return give_up(service.policy.name + " would be restarted more often than " +
                   std::to_string(*policy_.max_restarts) + " times" + within(policy_));
  }
  if (service.counted) {
    std::erase_if(restarts_, [&](double at) { return at <= moment_.now - policy_.window_seconds; });
    restarts_.push_back(moment_.now);
  }
  service.counted = false;
  service.phase = Phase::starting;
  service.until = moment_.now + service.policy.start_within;
  ++service.incarnation;
  step(Step::What::start, i, service.cause);
}

bool Machine::allowed(double at) const {
  if (!policy_.max_restarts) return true;
  const auto in_window = std::ranges::count_if(
      restarts_, [&](double restart) { return restart > at - policy_.window_seconds; });
  return in_window < *policy_.max_restarts;
}

bool Machine::in_group(std::size_t of, std::size_t i) const {
  if (policy_.strategy == Strategy::one_for_one) return i == of;
  return policy_.strategy == Strategy::one_for_all || i >= of;
}

void Machine::step(Step::What what, std::size_t i, std::string cause) {
  const int incarnation = i < services_.size() ? services_[i].incarnation : 0;
  steps_.push_back(
      {.what = what, .service = i, .incarnation = incarnation, .cause = std::move(cause)});
}

double Machine::next_deadline() const {
  double next = never;
  for (const ServiceState& service : services_) {
    const bool timed = alive(service) || (service.phase == Phase::waiting && service.wanted);
    if (timed && service.until > moment_.now) next = std::min(next, service.until);
  }
  return next;
}

std::string to_text(Step::What what) {
  constexpr const char* names[] = {"start",    "stop", "kill", "running", "healthy", "ended",
                                   "back_off", "done", "lost", "give_up", "finished"};
  return names[static_cast<int>(what)];
}

std::string to_text(Phase phase) {
  constexpr const char* names[] = {"stopped", "starting", "running", "stopping",
                                   "killing", "waiting",  "done",    "lost"};
  return names[static_cast<int>(phase)];
}

std::string to_text(const Step& step, const Machine& machine) {
  const bool whole = step.what == Step::What::give_up || step.what == Step::What::finished;
  std::string text = to_text(step.what) + " ";
  text += whole ? machine.policy().name : machine.services()[step.service].policy.name;
  if (step.what == Step::What::back_off) text += " " + seconds_text(step.delay);
  return step.cause.empty() ? text : text + ": " + step.cause;
}

}  // namespace controller::supervise
