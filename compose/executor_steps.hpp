// One step of a plan on an engine. What fails is thrown: EngineError, or StepFailed with the
// reason alone.
#pragma once

#include <functional>
#include <stdexcept>

#include "compose/plan.hpp"
#include "container/engine.hpp"

namespace compose {

class StepFailed : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

class StepRunner {
 public:
  StepRunner(container::Engine& engine, std::function<bool()> give_up)
      : engine_(engine), give_up_(std::move(give_up)) {}

  container::Task<> run(const Step& step);

  // Networks, volumes and containers that were made, in their order.
  struct Made {
    Action action;
    std::string subject, id;
  };
  const std::vector<Made>& made() const { return made_; }
  // Removes the last one that was made.
  container::Task<> undo_last();

 private:
  container::Task<> create(const Step& step);
  container::Task<> stop(const Step& step);
  container::Task<> remove_network(const Step& step);
  container::Task<> await_condition(const Step& step);
  // The engine's id of the container that a step is about.
  std::string id_of(const Step& step) const;

  container::Engine& engine_;
  std::function<bool()> give_up_;
  std::vector<Made> made_;
  std::map<std::string, std::string> ids_;  // of containers made here, by name
};

}  // namespace compose
