// A service's keys as the engine's words, one for one.
#pragma once

#include <stdexcept>

#include "compose/model.hpp"
#include "container/container_spec.hpp"

namespace compose {

// A project that cannot be carried out as it is written, or does not have what is asked for. Names
// the service, and what to do.
class NotPossible : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Without name, labels and image. NotPossible for what no engine takes.
container::ContainerSpec service_spec(const Project& project, const Service& service);
// Keys that are read and have no effect, a line each.
Strings without_effect(const Service& service);

std::string container_name(const Project& project, const Service& service, int number);

}  // namespace compose
