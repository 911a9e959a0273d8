// SELECTOR: terms joined by blanks (and): a run-id glob, axis=value, cycle=2, state=failed,
// class=oom, experiment=NAME.
#pragma once

#include <string>
#include <vector>

#include "campaign/plan/plan.hpp"
#include "campaign/state/fold.hpp"

namespace controller {

class Selector {
 public:
  // Throws CommandError(usage) that names the term.
  static Selector parse(const std::string& text);
  struct Subject {
    const campaign::Plan* plan;
    const campaign::PlannedRun* run;
    const campaign::RunState* state;
  };
  bool matches(const Subject& subject) const;
  bool empty() const { return terms_.empty(); }

 private:
  struct Term {
    std::string key, value;
  };  // key "" = a run-id glob
  std::vector<Term> terms_;
};

}  // namespace controller
