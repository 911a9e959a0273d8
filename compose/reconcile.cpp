#include "compose/reconcile.hpp"

#include <algorithm>
#include <set>

#include "compose/graph.hpp"

namespace compose {

namespace {

using container::ContainerStatus;

bool is_over(const ObservedContainer& seen) {
  return seen.status == ContainerStatus::exited || seen.status == ContainerStatus::dead;
}

std::string owner_text(const StringMap& labels, const Owner& owner) {
  const auto found = labels.find(owner.label);
  return found == labels.end() ? "it carries no label " + owner.label
                               : "its label " + owner.label + " is " + found->second;
}

class UpPlanner {
 public:
  UpPlanner(const Project& project, const Desired& wanted, const Observed& seen,
            const UpChoices& choices)
      : project_(project), wanted_(wanted), seen_(seen), choices_(choices) {
    plan_.project = wanted.project;
    plan_.warnings = wanted.warnings;
    if (choices.dependencies_only)
      chosen_ = dependencies_of(project, choices.services);
    else
      chosen_ = with_dependencies(project, choices.services);
  }

  Plan make() {
    refuse_foreign();
    find_changed_networks();
    for (const auto& network : wanted_.networks) add_network(network);
    for (const auto& volume : wanted_.volumes) add_volume(volume);
    for (const auto& name : start_order(project_))
      if (chosen_.contains(name)) add_service(project_.services.at(name));
    if (choices_.dependencies_only)
      for (const auto& name : choices_.services) conditions_of(project_.services.at(name));
    else
      add_surplus();
    add_orphans();
    if (choices_.wait_ready) add_readiness();
    return std::move(plan_);
  }

 private:
  using Steps = std::vector<std::size_t>;

  template <class T>
  void refuse(const char* kind, const T& object, const std::string& why) const {
    throw ForeignObject(std::string(kind) + " " + object.name + " is not this project's: " + why +
                        "; rename the project, or remove what is there");
  }

  template <class T>
  void refuse_unowned(const char* kind, const std::vector<T>& objects) const {
    for (const auto& object : objects)
      if (!is_owned(object.labels, choices_.owner))
        refuse(kind, object, owner_text(object.labels, choices_.owner));
  }

  void refuse_foreign() const {
    const std::string stranger = "it does not carry the project's label";
    for (const auto& one : seen_.foreign_containers)
      if (chosen_.contains(service_wanting(one.name))) refuse("container", one, stranger);
    for (const auto& one : seen_.foreign_networks)
      if (!is_external(wanted_.networks, one.name)) refuse("network", one, stranger);
    for (const auto& one : seen_.foreign_volumes)
      if (!is_external(wanted_.volumes, one.name) && !is_usable_store(one))
        refuse("volume", one,
               has_own_name(one.name) ? owner_text(one.labels, choices_.owner) : stranger);
    refuse_unowned("container", seen_.containers);
    refuse_unowned("network", seen_.networks);
    refuse_unowned("volume", seen_.volumes);
  }

  bool is_usable_store(const ObservedVolume& volume) const {
    const auto whose = volume.labels.find(choices_.owner.label);
    const bool others = whose != volume.labels.end() && whose->second != choices_.owner.value;
    return has_own_name(volume.name) && !others;
  }

  // The file gives it a name of its own, not that of project and key: it may be older than both.
  bool has_own_name(const std::string& volume) const {
    return std::any_of(
        wanted_.volumes.begin(), wanted_.volumes.end(), [&](const DesiredVolume& one) {
          return one.spec.name == volume && volume != wanted_.project + "_" + one.key;
        });
  }

  std::string service_wanting(const std::string& name) const {
    for (const auto& one : wanted_.containers)
      if (one.spec.name == name) return one.service;
    return "";
  }

  template <class T>
  static bool is_external(const std::vector<T>& all, const std::string& name) {
    return std::any_of(all.begin(), all.end(),
                       [&](const T& one) { return one.external && one.spec.name == name; });
  }

  template <class T>
  static const T* named(const std::vector<T>& all, const std::string& name) {
    const auto found =
        std::find_if(all.begin(), all.end(), [&](const T& one) { return one.name == name; });
    return found == all.end() ? nullptr : &*found;
  }

  std::size_t add(Step step) {
    plan_.steps.push_back(std::move(step));
    return plan_.steps.size() - 1;
  }

  void find_changed_networks() {
    for (const auto& network : wanted_.networks) {
      const auto* there = named(seen_.networks, network.spec.name);
      if (there && !network.external && there->hash != network.hash)
        changed_networks_.insert(network.spec.name);
    }
  }

  // All that are in it have to go first; those of services that were not chosen come back too.
  void add_network(const DesiredNetwork& network) {
    const std::string& name = network.spec.name;
    const auto* there = named(seen_.networks, name);
    if (network.external) {
      if (!there && !named(seen_.foreign_networks, name))
        throw ForeignObject("network " + name + " is external and is not there: create it first");
      return;
    }
    const bool changed = changed_networks_.contains(name);
    if (there && !changed) return;
    Steps after;
    if (changed) {
      Step removal{.action = Action::remove_network,
                   .subject = name,
                   .cause = "its settings have changed",
                   .id = there->id};
      for (const auto& one : seen_.containers) {
        if (!one.networks.contains(name)) continue;
        if (is_unnamed(one.service))
          throw NotPossible("network " + name + " has changed, and " + one.name +
                            " is in it: name its service " + one.service + " too, or none");
        chosen_.insert(one.service);
        removal.after.push_back(add_removal(one, "its network " + name + " is made anew"));
      }
      after = {add(std::move(removal))};
    }
    made_[name] = add({.action = Action::create_network,
                       .subject = name,
                       .cause = changed ? "its settings have changed" : "it is not there",
                       .after = std::move(after),
                       .network = &network});
  }

  void add_volume(const DesiredVolume& volume) {
    const std::string& name = volume.spec.name;
    const auto* there = named(seen_.volumes, name);
    if (volume.external) {
      if (!there && !named(seen_.foreign_volumes, name))
        throw ForeignObject("volume " + name + " is external and is not there: create it first");
      return;
    }
    if (there && there->hash != volume.hash && !volume.hash.empty())
      plan_.warnings.push_back("volume " + name +
                               " was made with other settings; it is kept, for what is in it");
    const bool foreign = named(seen_.foreign_volumes, name) != nullptr;
    if (foreign)
      plan_.warnings.push_back("volume " + name +
                               " is there and is not this project's: it is used as it is, and "
                               "stays; `external: true` says so");
    if (there || foreign) return;
    made_["volume " + name] = add({.action = Action::create_volume,
                                   .subject = name,
                                   .cause = "it is not there",
                                   .volume = &volume});
  }

  std::size_t add_stop(const ObservedContainer& seen, const std::string& cause) {
    return add({.action = Action::stop,
                .subject = seen.name,
                .cause = cause,
                .service = seen.service,
                .id = seen.id,
                .grace = seen.stop_timeout ? *seen.stop_timeout : choices_.default_grace,
                .signal = seen.stop_signal.empty() ? "TERM" : seen.stop_signal});
  }

  // Stop and remove, once; the step after which it is gone.
  std::size_t add_removal(const ObservedContainer& seen, const std::string& cause) {
    const auto known = removals_.find(seen.id);
    if (known != removals_.end()) return known->second;
    Steps after;
    if (!is_over(seen) && seen.status != ContainerStatus::created)
      after.push_back(add_stop(seen, cause));
    const std::size_t step = add({.action = Action::remove_container,
                                  .subject = seen.name,
                                  .cause = cause,
                                  .after = std::move(after),
                                  .service = seen.service,
                                  .id = seen.id});
    removals_[seen.id] = step;
    return step;
  }

  // Steps after which the conditions of a service's dependencies hold.
  Steps conditions_of(const Service& service) {
    Steps after;
    for (const auto& [name, dependency] : service.depends_on) {
      if (!project_.services.contains(name) || project_.services.at(name).replicas == 0) continue;
      for (const auto& one : wanted_.containers)
        if (one.service == name) add_condition(after, one, dependency, service.name);
    }
    return after;
  }

  void add_condition(Steps& after, const DesiredContainer& on, const Dependency& dependency,
                     const std::string& dependent) {
    const auto started = started_.find(on.spec.name);
    if (started != started_.end()) after.push_back(started->second);
    if (dependency.condition == Condition::started) return;
    const bool completed = dependency.condition == Condition::completed_successfully;
    if (completed && started == started_.end() && has_completed(on)) return;
    const auto key = std::make_pair(on.spec.name, completed);
    auto& waits = dependency.required ? awaits_ : optional_awaits_;
    const auto known = waits.find(key);
    if (known != waits.end()) {
      after.push_back(known->second);
      return;
    }
    Step wait{.action = Action::await,
              .subject = on.spec.name,
              .cause = dependent + " depends on it",
              .service = on.service,
              .awaited = completed ? Awaited::completed : Awaited::healthy,
              .deadline = choices_.condition_deadline,
              .required = dependency.required};
    if (started != started_.end()) wait.after = {started->second};
    after.push_back(waits[key] = add(std::move(wait)));
  }

  const ObservedContainer* there(const DesiredContainer& wanted) const {
    for (const auto& one : seen_.containers)
      if (!one.oneoff && one.service == wanted.service && one.number == wanted.number) return &one;
    return nullptr;
  }

  bool has_completed(const DesiredContainer& wanted) const {
    const auto* seen = there(wanted);
    return seen && seen->status == ContainerStatus::exited && seen->started && seen->exit_code == 0;
  }

  bool is_one_shot(const std::string& name) const {
    for (const auto& [other, service] : project_.services) {
      const auto found = service.depends_on.find(name);
      if (found != service.depends_on.end() &&
          found->second.condition == Condition::completed_successfully)
        return true;
    }
    return false;
  }

  void add_service(const Service& service) {
    for (const auto& wanted : wanted_.containers)
      if (wanted.service == service.name) add_container(service, wanted);
  }

  std::string why_anew(const DesiredContainer& wanted, const ObservedContainer& seen) const {
    if (choices_.recreate == Recreate::always) return "it was asked for";
    if (seen.status == ContainerStatus::dead) return "it is dead";
    if (removals_.contains(seen.id)) return plan_.steps[removals_.at(seen.id)].cause;
    if (choices_.recreate == Recreate::never) return "";
    if (seen.hash != wanted.hash) return "its configuration has changed";
    for (const auto& network : wanted.spec.networks) {
      const auto joined = seen.networks.find(network.network);
      const auto* info = named(seen_.networks, network.network);
      if (joined != seen.networks.end() && info && joined->second != info->id &&
          !joined->second.empty())
        return "it is in another network of the name " + network.network;
    }
    if (shares_anew(wanted)) return "it shares a namespace with one that is made anew";
    return "";
  }

  bool shares_anew(const DesiredContainer& wanted) const {
    for (const std::string* mode : {&wanted.spec.network, &wanted.spec.ipc, &wanted.spec.pid}) {
      if (!mode->starts_with("container:")) continue;
      if (created_.contains(mode->substr(10))) return true;
    }
    return false;
  }

  void add_container(const Service& service, const DesiredContainer& wanted) {
    const auto* seen = there(wanted);
    const std::string anew = seen ? why_anew(wanted, *seen) : "it is not there";
    if (!seen || !anew.empty()) return add_creation(service, wanted, seen, anew);
    add_missing_networks(wanted, *seen);
    if (seen->status == ContainerStatus::paused) {
      started_[wanted.spec.name] = add({.action = Action::unpause,
                                        .subject = seen->name,
                                        .cause = "it is paused",
                                        .service = service.name,
                                        .id = seen->id});
      return;
    }
    const bool runs =
        seen->status == ContainerStatus::running || seen->status == ContainerStatus::restarting;
    const std::string restarted = restarted_dependency(service);
    if (runs && !restarted.empty()) {
      connections_.push_back(add_stop(*seen, restarted));
      return add_start(service, wanted, {.id = seen->id, .cause = restarted});
    }
    if (runs || (is_one_shot(service.name) && has_completed(wanted))) return;
    add_start(service, wanted,
              {.id = seen->id, .cause = seen->started ? "it has ended" : "it was never started"});
  }

  void add_creation(const Service& service, const DesiredContainer& wanted,
                    const ObservedContainer* seen, const std::string& cause) {
    Steps after;
    if (seen) after.push_back(add_removal(*seen, cause));
    for (const auto& network : wanted.spec.networks)
      if (made_.contains(network.network)) after.push_back(made_.at(network.network));
    for (const auto& mount : wanted.spec.mounts)
      if (mount.volume && made_.contains("volume " + mount.source))
        after.push_back(made_.at("volume " + mount.source));
    for (const auto& [other, dependency] : service.depends_on)
      for (const auto& one : wanted_.containers)
        if (one.service == other && created_.contains(one.spec.name) && needs_there(wanted, one))
          after.push_back(created_.at(one.spec.name));
    created_[wanted.spec.name] = add({.action = Action::create_container,
                                      .subject = wanted.spec.name,
                                      .cause = cause,
                                      .after = std::move(after),
                                      .service = service.name,
                                      .container = &wanted});
    add_start(service, wanted, {.cause = cause, .created = created_.at(wanted.spec.name)});
  }

  // A create names the other container: its namespaces, volumes or links.
  static bool needs_there(const DesiredContainer& wanted, const DesiredContainer& other) {
    const std::string mode = "container:" + other.spec.name;
    if (wanted.spec.network == mode || wanted.spec.ipc == mode || wanted.spec.pid == mode)
      return true;
    const auto begins = [&](const Strings& all) {
      return std::any_of(all.begin(), all.end(), [&](const std::string& text) {
        return text == other.spec.name || text.starts_with(other.spec.name + ":");
      });
    };
    if (begins(wanted.spec.volumes_from)) return true;
    return std::any_of(wanted.spec.networks.begin(), wanted.spec.networks.end(),
                       [&](const auto& network) { return begins(network.links); });
  }

  // Why a running one is to be restarted with what it depends on; empty: it is not.
  std::string restarted_dependency(const Service& service) const {
    for (const auto& [name, dependency] : service.depends_on) {
      if (!dependency.restart) continue;
      for (const auto& one : wanted_.containers)
        if (one.service == name && created_.contains(one.spec.name))
          return name + ", which it depends on, is made anew";
    }
    return "";
  }

  struct Startable {
    std::string id = {};
    std::string cause = {};
    std::optional<std::size_t> created = {};
  };

  void add_start(const Service& service, const DesiredContainer& wanted, const Startable& one) {
    Steps after = conditions_of(service);
    if (one.created) after.insert(after.begin(), *one.created);
    for (const std::size_t step : connections_) after.push_back(step);
    connections_.clear();
    started_[wanted.spec.name] = add({.action = Action::start,
                                      .subject = wanted.spec.name,
                                      .cause = one.cause,
                                      .after = std::move(after),
                                      .service = service.name,
                                      .id = one.id});
  }

  void add_missing_networks(const DesiredContainer& wanted, const ObservedContainer& seen) {
    connections_.clear();
    for (const auto& network : wanted.spec.networks) {
      if (seen.networks.contains(network.network)) continue;
      Step step{.action = Action::connect,
                .subject = seen.name,
                .cause = "it is not in that network",
                .service = wanted.service,
                .id = seen.id,
                .attachment = network};
      if (made_.contains(network.network)) step.after = {made_.at(network.network)};
      connections_.push_back(add(std::move(step)));
    }
  }

  void add_surplus() {
    for (const auto& one : seen_.containers) {
      const bool known = !one.oneoff && chosen_.contains(one.service);
      const bool wanted = std::any_of(
          wanted_.containers.begin(), wanted_.containers.end(),
          [&](const auto& w) { return w.service == one.service && w.number == one.number; });
      if (known && !wanted) add_removal(one, "there are more of " + one.service + " than wanted");
    }
  }

  bool is_unnamed(const std::string& service) const {
    const Strings& unnamed = project_.unnamed_services;
    return std::find(unnamed.begin(), unnamed.end(), service) != unnamed.end();
  }

  bool is_in_file(const std::string& service) const {
    return project_.services.contains(service) || project_.disabled_services.contains(service) ||
           is_unnamed(service);
  }

  void add_orphans() {
    for (const auto& one : seen_.containers) {
      const bool known = is_in_file(one.service);
      if (one.oneoff ? !is_over(one) || known : known) continue;
      if (choices_.remove_orphans)
        add_removal(one, "the file has no service " + one.service);
      else
        plan_.warnings.push_back("container " + one.name +
                                 " is an orphan: the file has no service " + one.service);
    }
  }

  void add_readiness() {
    for (const auto& one : wanted_.containers) {
      if (!chosen_.contains(one.service) || is_one_shot(one.service)) continue;
      Step wait{.action = Action::await,
                .subject = one.spec.name,
                .cause = "the project is to be ready",
                .service = one.service,
                .awaited = Awaited::ready,
                .deadline = choices_.condition_deadline};
      if (started_.contains(one.spec.name)) wait.after = {started_.at(one.spec.name)};
      add(std::move(wait));
    }
  }

  const Project& project_;
  const Desired& wanted_;
  const Observed& seen_;
  const UpChoices& choices_;
  Plan plan_;
  std::set<std::string> chosen_, changed_networks_;
  std::map<std::string, std::size_t> made_;               // networks, and volumes as "volume NAME"
  std::map<std::string, std::size_t> removals_;           // by id of the container
  std::map<std::string, std::size_t> created_, started_;  // by name of the container
  std::map<std::pair<std::string, bool>, std::size_t> awaits_, optional_awaits_;
  Steps connections_;  // what else its start waits for, of the container that is being planned
};

}  // namespace

bool is_owned(const StringMap& labels, const Owner& owner) {
  const auto found = labels.find(owner.label);
  return owner.value.empty() ? found == labels.end()
                             : found != labels.end() && found->second == owner.value;
}

Plan plan_up(const Project& project, const Desired& wanted, const Observed& seen,
             const UpChoices& choices) {
  return UpPlanner(project, wanted, seen, choices).make();
}

}  // namespace compose
