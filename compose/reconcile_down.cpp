#include <algorithm>
#include <set>

#include "compose/reconcile.hpp"
#include "container/labels.hpp"

namespace compose {

namespace {

using container::ContainerStatus;

bool runs(const ObservedContainer& seen) {
  return seen.status == ContainerStatus::running || seen.status == ContainerStatus::paused ||
         seen.status == ContainerStatus::restarting;
}

class DownPlanner {
 public:
  DownPlanner(const Observed& seen, const DownChoices& choices) : seen_(seen), choices_(choices) {
    plan_.project = seen.project;
  }

  Plan make() {
    for (const auto& one : seen_.containers)
      if (is_meant(one)) meant_.push_back(&one);
    for (const auto* one : meant_) add_container(*one);
    std::vector<std::size_t> all_removed;
    for (const auto& [id, step] : removed_) all_removed.push_back(step);
    std::sort(all_removed.begin(), all_removed.end());
    for (const auto& network : seen_.networks)
      if (is_ours("network " + network.name, network.labels))
        plan_.steps.push_back({.action = Action::remove_network,
                               .subject = network.name,
                               .cause = "the project goes",
                               .after = all_removed,
                               .id = network.id});
    for (const auto& volume : seen_.volumes)
      if (choices_.remove_volumes && is_ours("volume " + volume.name, volume.labels))
        plan_.steps.push_back({.action = Action::remove_volume,
                               .subject = volume.name,
                               .cause = "the project goes, with its volumes",
                               .after = all_removed,
                               .id = volume.name});
    return std::move(plan_);
  }

 private:
  bool is_ours(const std::string& name, const StringMap& labels) {
    if (is_owned(labels, choices_.owner)) return true;
    const auto found = labels.find(container::label::campaign);
    const std::string campaign = found == labels.end() ? "" : found->second;
    plan_.left.push_back(
        name + (campaign.empty() ? ": it is another owner's" : ": it is of campaign " + campaign));
    auto& all = plan_.owners;
    if (std::find(all.begin(), all.end(), campaign) == all.end()) all.push_back(campaign);
    return false;
  }

  bool is_orphan(const ObservedContainer& one) const {
    if (!choices_.services) return false;
    const auto& known = *choices_.services;
    return one.oneoff || std::find(known.begin(), known.end(), one.service) == known.end();
  }

  bool is_meant(const ObservedContainer& one) {
    if (!is_ours("container " + one.name, one.labels)) return false;
    if (!is_orphan(one) || choices_.remove_orphans) return true;
    plan_.left.push_back("container " + one.name + ": it is an orphan");
    return false;
  }

  static bool depends(const ObservedContainer& one, const std::string& service) {
    return std::find(one.depends_on.begin(), one.depends_on.end(), service) != one.depends_on.end();
  }

  double grace_of(const ObservedContainer& one) const {
    if (choices_.grace) return *choices_.grace;
    return one.stop_timeout ? *one.stop_timeout : choices_.default_grace;
  }

  // The step after which it is gone; those that depend on it go first. Labels can lie about
  // circles, so each is taken once.
  void add_container(const ObservedContainer& one) {
    if (!taken_.insert(one.id).second) return;
    std::vector<std::size_t> dependents;
    for (const auto* other : meant_) {
      if (!depends(*other, one.service)) continue;
      add_container(*other);
      if (removed_.contains(other->id)) dependents.push_back(removed_.at(other->id));
    }
    const std::string cause = is_orphan(one) ? "it is an orphan" : "the project goes";
    if (runs(one)) {
      plan_.steps.push_back({.action = Action::stop,
                             .subject = one.name,
                             .cause = cause,
                             .after = dependents,
                             .service = one.service,
                             .id = one.id,
                             .grace = grace_of(one),
                             .signal = one.stop_signal.empty() ? "TERM" : one.stop_signal});
      dependents = {plan_.steps.size() - 1};
    }
    plan_.steps.push_back({.action = Action::remove_container,
                           .subject = one.name,
                           .cause = cause,
                           .after = dependents,
                           .service = one.service,
                           .id = one.id});
    removed_[one.id] = plan_.steps.size() - 1;
  }

  const Observed& seen_;
  const DownChoices& choices_;
  Plan plan_;
  std::vector<const ObservedContainer*> meant_;
  std::set<std::string> taken_;
  std::map<std::string, std::size_t> removed_;
};

}  // namespace

Plan plan_down(const Observed& seen, const DownChoices& choices) {
  return DownPlanner(seen, choices).make();
}

}  // namespace compose
