// From what there is to what should be: pure, so that every decision can be printed and tested.
//
// A container is made anew only when our own hash of it has changed, when its network was made
// anew, or when it is asked for. A one-shot service (one whose completion another waits for) that
// has completed is not run again. What carries another owner's label, or a wanted name without
// being the project's, is refused by name and never touched.
#pragma once

#include <stdexcept>

#include "compose/observed.hpp"
#include "compose/plan.hpp"

namespace compose {

// The engine has something of this name that is not ours to touch.
class ForeignObject : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Whose project it is: objects of the project carry this label with this value. An empty value
// accepts those that carry no such label.
struct Owner {
  std::string label = "campaignctl.uid";
  std::string value = {};
};

enum class Recreate { changed, always, never };

struct UpChoices {
  Strings services = {};  // these and what they depend on; empty = all
  // What each of `services` depends on, and not it itself: its containers are somebody else's. The
  // plan ends with its conditions met.
  bool dependencies_only = false;
  Recreate recreate = Recreate::changed;
  bool remove_orphans = false;
  bool wait_ready = false;          // the plan ends with every service ready
  double condition_deadline = 600;  // seconds, for each condition
  double default_grace = 10;
  Owner owner = {};
};
// Both outlive the plan. Throws ForeignObject; NotPossible where a network is to be made anew and a
// container of a service that the request did not name is in it.
Plan plan_up(const Project& project, const Desired& wanted, const Observed& seen,
             const UpChoices& choices);

struct DownChoices {
  // Of the file, where there is one: what else the project has is an orphan. Without it everything
  // that carries the project's label is meant.
  std::optional<Strings> services = {};
  bool remove_orphans = true;
  bool remove_volumes = false;
  std::optional<double> grace = {};  // else each container's own, else default_grace
  double default_grace = 10;
  Owner owner = {};
};
// Stops and removes in reverse order of dependency, as the containers' labels have it. Never
// throws: what is another owner's is left, and named.
Plan plan_down(const Observed& seen, const DownChoices& choices);

bool is_owned(const StringMap& labels, const Owner& owner);

}  // namespace compose
