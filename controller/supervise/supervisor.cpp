#include "controller/supervise/supervisor.hpp"

#include <exception>

#include "campaign/state/journal.hpp"

namespace controller::supervise {

namespace {

std::vector<ServicePolicy> policies_of(const std::vector<Service>& services) {
  std::vector<ServicePolicy> policies;
  for (const Service& service : services) policies.push_back(service.policy);
  return policies;
}

}  // namespace

Supervisor::Supervisor(SupervisorPolicy policy, std::vector<Service> services,
                       SupervisorParts parts)
    : machine_(std::move(policy), policies_of(services)), parts_(std::move(parts)) {
  for (Service& service : services) executors_.push_back(std::move(service.executor));
}

Supervisor::~Supervisor() = default;

Task<> Supervisor::run() {
  inputs_.push_front({.kind = Input::Kind::start});
  for (;;) {
    drain();
    if (machine_.finished()) break;
    co_await wake_.wait(machine_.next_deadline() - parts_.clock->boottime());
    inputs_.push_back({.kind = Input::Kind::tick});
  }
  co_await close();
  over_ = true;
  wake_.notify();
}

Task<> Supervisor::close() {
  for (std::size_t i = executors_.size(); i-- > 0;) {
    const ServicePolicy& policy = machine_.services()[i].policy;
    std::string left;
    try {
      if (!co_await container::finished_within(executors_[i]->close(),
                                               policy.stop_within + policy.kill_within))
        left = "was not cleared away in time";
    } catch (const std::exception& error) {
      left = error.what();
    }
    if (!left.empty()) carry_out({.what = Step::What::lost, .service = i, .cause = left});
  }
}

void Supervisor::stop() { tell({.kind = Input::Kind::stop}); }

void Supervisor::hurry() { tell({.kind = Input::Kind::hurry}); }

void Supervisor::restart(const std::string& service) {
  tell({.kind = Input::Kind::restart, .service = machine_.index_of(service)});
}

Task<> Supervisor::finished() {
  constexpr double long_enough = 3600;
  while (!over_) co_await wake_.wait(long_enough);
}

void Supervisor::tell(Input input) {
  inputs_.push_back(std::move(input));
  wake_.notify();
}

void Supervisor::drain() {
  while (!inputs_.empty()) {
    const Input input = std::move(inputs_.front());
    inputs_.pop_front();
    const Moment moment{.now = parts_.clock->boottime(), .chance = parts_.chance()};
    for (const Step& step : machine_.handle(input, moment)) carry_out(step);
  }
}

void Supervisor::carry_out(const Step& step) {
  using What = Step::What;
  static const std::string nobody;
  const bool whole = step.what == What::give_up || step.what == What::finished;
  if (step.what == What::give_up) why_gave_up_ = step.cause;
  if (step.what == What::start) start(step.service, step.incarnation);
  if (step.what == What::stop) executors_[step.service]->stop();
  if (step.what == What::kill) executors_[step.service]->kill();
  if (!parts_.observer) return;
  parts_.observer({.supervisor = name(),
                   .service = whole ? nobody : machine_.services()[step.service].policy.name,
                   .step = step,
                   .text = to_text(step, machine_)});
}

void Supervisor::start(std::size_t service, int incarnation) {
  const auto input = [service, incarnation](Input::Kind kind) {
    return Input{.kind = kind, .service = service, .incarnation = incarnation};
  };
  Report report;
  report.running = [this, input] { tell(input(Input::Kind::running)); };
  report.ended = [this, input](Exit exit) {
    Input ended = input(Input::Kind::ended);
    ended.exit = std::move(exit);
    tell(std::move(ended));
  };
  try {
    executors_[service]->start(report);
  } catch (const std::exception& error) {
    report.ended({.well = false, .how = std::string("could not be started: ") + error.what()});
  }
}

}  // namespace controller::supervise
