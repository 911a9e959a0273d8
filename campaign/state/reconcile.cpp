#include "campaign/state/reconcile.hpp"

#include <algorithm>
#include <array>
#include <set>

namespace campaign {

namespace {

using Action = ReconcileStep::Action;
using State = Observed::State;

constexpr std::array action_names = {"adopt",
                                     "collect",
                                     "start again and adopt",
                                     "create again",
                                     "record as completed",
                                     "record as lost",
                                     "remove",
                                     "unpause and adopt",
                                     "wait until it is gone",
                                     "refuse"};
constexpr std::array state_names = {"created", "running", "exited", "paused", "removing", "dead"};

const char* name_of_state(State state) { return state_names.at(static_cast<std::size_t>(state)); }

bool in_flight(const RunState& run) {
  return run.phase == RunPhase::initialised || run.phase == RunPhase::running;
}

// Containers of servers that runs in flight use; one that is kept alive was made for an earlier
// run.
std::set<std::string> servers_in_use(const Fold& fold) {
  std::set<std::string> ids;
  for (const auto& [name, run] : fold.runs) {
    if (run.phase == RunPhase::running && !run.server.empty()) ids.insert(run.server);
  }
  return ids;
}

// Decides about one run: the attempt that the journal knows, then what else stands on the engine.
class Decision {
 public:
  Decision(const ReconcileInput& input, const std::string& name,
           const std::set<std::string>& servers_in_use, std::vector<ReconcileStep>& steps)
      : input_(input),
        name_(name),
        run_(input.fold->run(name)),
        steps_(steps),
        in_use_(servers_in_use) {
    const auto disk = input.on_disk.find(name);
    if (disk != input.on_disk.end()) disk_ = disk->second;
    for (const Observed& container : input.containers) {
      if (container.run == name && container.service.empty()) containers_.push_back(&container);
    }
  }

  void decide() {
    std::sort(containers_.begin(), containers_.end(), [](const Observed* a, const Observed* b) {
      return std::tie(a->attempt, a->server, a->name, a->id) <
             std::tie(b->attempt, b->server, b->name, b->id);
    });
    if (elsewhere()) return leftovers(run_.attempt - 1);
    if (is_whole()) {
      record_completed();
      return leftovers(disk_.attempt);
    }
    if (in_flight(run_)) attempt_in_flight();
    leftovers(in_flight(run_) ? run_.attempt - 1 : run_.attempt);
  }

 private:
  bool local() const { return run_.container.empty(); }
  bool is_exec() const { return !run_.service.empty(); }

  bool elsewhere() const {
    if (!in_flight(run_)) return false;
    if (local()) return !run_.host.empty() && run_.host != input_.host;
    return !run_.engine_id.empty() && run_.engine_id != input_.engine_id;
  }

  bool is_whole() const {
    if (!disk_.whole_in_raw) return false;
    if (disk_.attempt > run_.attempt) return disk_.attempt != run_.released;
    return disk_.attempt == run_.attempt &&
           (in_flight(run_) || run_.phase == RunPhase::interrupted);
  }

  void add(Action action, const Observed* container, std::string engine) {
    ReconcileStep step;
    step.action = action;
    step.run = name_;
    step.attempt = container != nullptr ? container->attempt : run_.attempt;
    step.id = container != nullptr ? container->id : "";
    step.cause = std::string("journal says ") + journal() + ", " + std::move(engine);
    steps_.push_back(std::move(step));
  }

  std::string journal() const {
    std::string text = name_of(run_.phase);
    return run_.attempt > 0 ? text + " a" + std::to_string(run_.attempt) : text;
  }

  static std::string says(const Observed& container) {
    return std::string("engine says ") + name_of_state(container.state);
  }

  const Observed* only_container() const {
    const Observed* found = nullptr;
    for (const Observed* container : containers_) {
      if (container->server || container->attempt != run_.attempt) continue;
      if (found != nullptr) return nullptr;
      found = container;
    }
    return found;
  }

  std::size_t count() const {
    return static_cast<std::size_t>(
        std::count_if(containers_.begin(), containers_.end(),
                      [&](const Observed* c) { return !c->server && c->attempt == run_.attempt; }));
  }

  void record_completed() {
    const auto found = std::find_if(containers_.begin(), containers_.end(), [&](const Observed* c) {
      return !c->server && c->attempt == disk_.attempt;
    });
    add(Action::record_completed, found == containers_.end() ? nullptr : *found,
        "its result is whole in raw/");
    steps_.back().attempt = disk_.attempt;
  }

  // It has no container of its own. The engine knows execs that run, the launcher's files all that
  // ended.
  void exec_in_flight() {
    if (is_pilot(name_)) return;
    const std::string attempt = name_ + ".a" + std::to_string(run_.attempt);
    const auto held = std::find_if(
        input_.containers.begin(), input_.containers.end(),
        [&](const Observed& c) { return !c.service.empty() && c.name == run_.container; });
    const Observed* container = held == input_.containers.end() ? nullptr : &*held;
    if (container != nullptr && input_.execs.contains(attempt)) {
      add(Action::adopt, container, "engine says its exec runs");
      steps_.back().attempt = run_.attempt;
      return;
    }
    nothing_there();
  }

  void attempt_in_flight() {
    if (is_exec()) return exec_in_flight();
    if (count() > 1) {
      for (const Observed* c : containers_) {
        if (!c->server && c->attempt == run_.attempt)
          add(Action::refuse, c, "engine has several of this attempt");
      }
      return;
    }
    const Observed* container = only_container();
    if (container == nullptr) return nothing_there();
    switch (container->state) {
      case State::running:
        return add(Action::adopt, container, says(*container));
      case State::exited:
        return add(Action::collect, container, says(*container));
      case State::created:
        return add(Action::start_again, container, says(*container));
      case State::paused:
        return add(Action::unpause_adopt, container, says(*container));
      case State::removing:
      case State::dead:
        break;
    }
    add(Action::await_gone, container, says(*container));
    nothing_there();
  }

  void nothing_there() {
    if (disk_.process_alive) return add(Action::adopt, nullptr, "its process lives");
    if (disk_.outcome && (disk_.attempt == 0 || disk_.attempt == run_.attempt)) {
      return add(Action::collect, nullptr, "engine has nothing, the launcher left an outcome");
    }
    if (run_.phase == RunPhase::initialised)
      return add(Action::create_again, nullptr, "engine has nothing");
    add(Action::interrupted_lost, nullptr, "engine has nothing");
    for (const Observed* c : containers_) {
      if (c->server && c->attempt == run_.attempt) add(Action::remove, c, "its client is lost");
    }
  }

  // Containers of attempts up to `last` are over; those of later ones nobody has claimed.
  void leftovers(int last) {
    for (const Observed* c : containers_) {
      const bool handled = is_whole() ? !c->server && c->attempt == disk_.attempt
                                      : in_flight(run_) && c->attempt == run_.attempt;
      if (handled || in_use_.contains(c->id)) continue;
      const bool ours = c->attempt <= last || c->attempt == run_.released;
      add(ours ? Action::remove : Action::refuse, c,
          says(*c) + (ours ? "" : " for an attempt that nobody claimed"));
    }
  }

  const ReconcileInput& input_;
  const std::string& name_;
  const RunState& run_;
  std::vector<ReconcileStep>& steps_;
  const std::set<std::string>& in_use_;
  FoundOnDisk disk_;
  std::vector<const Observed*> containers_;
};

// Held containers in which nothing is adopted go: the next run makes its own, with nobody's
// leftovers in it.
void decide_services(const ReconcileInput& input, std::vector<ReconcileStep>& steps) {
  std::set<std::string> kept;
  for (const ReconcileStep& step : steps) {
    if (step.action == Action::adopt) kept.insert(step.id);
  }
  for (const Observed& container : input.containers) {
    if (container.service.empty() || kept.contains(container.id)) continue;
    ReconcileStep step;
    step.run = container.name;
    step.id = container.id;
    step.cause = std::string("no run goes on in it, engine says ") + name_of_state(container.state);
    steps.push_back(std::move(step));
  }
}

std::set<std::string> runs_to_decide(const ReconcileInput& input) {
  std::set<std::string> names;
  for (const auto& [name, run] : input.fold->runs) {
    if (in_flight(run)) names.insert(name);
  }
  for (const auto& [name, run] : input.fold->pilots) {
    if (in_flight(run)) names.insert(name);
  }
  for (const Observed& container : input.containers) {
    if (container.service.empty()) names.insert(container.run);
  }
  for (const auto& [name, disk] : input.on_disk) names.insert(name);
  return names;
}

}  // namespace

std::string ReconcileStep::text() const {
  std::string text = run + (attempt > 0 ? ".a" + std::to_string(attempt) : "") + ": " +
                     action_names.at(static_cast<std::size_t>(action));
  if (!id.empty()) text += " " + id.substr(0, 12);
  return text + " (" + cause + ")";
}

std::vector<ReconcileStep> reconcile(const ReconcileInput& input) {
  std::vector<ReconcileStep> steps;
  const std::set<std::string> in_use = servers_in_use(*input.fold);
  for (const std::string& name : runs_to_decide(input))
    Decision(input, name, in_use, steps).decide();
  decide_services(input, steps);
  return steps;
}

}  // namespace campaign
