#include "compose/graph.hpp"

#include <algorithm>
#include <stdexcept>

namespace compose {

namespace {

class Walk {
 public:
  explicit Walk(const Project& project) : project_(project) {}

  void visit(const std::string& name) {
    const auto found = project_.services.find(name);
    if (found == project_.services.end() || done_.contains(name)) return;
    const auto above = std::find(path_.begin(), path_.end(), name);
    if (above != path_.end()) refuse({above, path_.end()}, name);
    path_.push_back(name);
    for (const auto& [other, dependency] : found->second.depends_on) visit(other);
    path_.pop_back();
    done_.insert(name);
    order_.push_back(name);
  }

  const Strings& order() const { return order_; }

 private:
  [[noreturn]] static void refuse(const Strings& circle, const std::string& again) {
    std::string text;
    for (const auto& name : circle) text += name + " -> ";
    throw NotPossible("the services depend on each other in a circle: " + text + again);
  }

  const Project& project_;
  std::set<std::string> done_;
  Strings path_, order_;
};

}  // namespace

Strings start_order(const Project& project) {
  Walk walk(project);
  for (const auto& [name, service] : project.services) walk.visit(name);
  return walk.order();
}

std::set<std::string> with_dependencies(const Project& project, const Strings& wanted) {
  Walk walk(project);
  if (wanted.empty()) {
    for (const auto& [name, service] : project.services) walk.visit(name);
  }
  for (const auto& name : wanted) {
    if (!project.services.contains(name))
      throw NotPossible("there is no service " + name + " in project " + project.name);
    walk.visit(name);
  }
  return {walk.order().begin(), walk.order().end()};
}

std::set<std::string> dependencies_of(const Project& project, const Strings& services) {
  std::set<std::string> all;
  for (const auto& name : services)
    for (const auto& other : with_dependencies(project, {name}))
      if (other != name) all.insert(other);
  return all;
}

}  // namespace compose
