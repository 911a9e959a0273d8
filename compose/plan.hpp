// What is to be done to a project, step by step, each with its cause. Made by reconcile.hpp,
// printed, carried out by executor.hpp.
#pragma once

#include "compose/desired.hpp"
#include "compose/model.hpp"

namespace compose {

enum class Action {
  create_network,
  remove_network,
  create_volume,
  remove_volume,
  create_container,
  connect,  // to a network
  start,
  unpause,
  stop,
  remove_container,
  await  // a condition
};

// What a wait is for; beside the conditions of depends_on: ready is healthy, or running where there
// is no check.
enum class Awaited { healthy, completed, ready };

struct Step {
  Action action = Action::start;
  std::string subject;  // name of the network, volume or container
  std::string cause;
  std::vector<std::size_t> after = {};  // steps that end before this one begins

  std::string service = {};
  std::string id = {};                          // on the engine, of what was there before
  const DesiredContainer* container = nullptr;  // create_container
  const DesiredNetwork* network = nullptr;      // create_network
  const DesiredVolume* volume = nullptr;        // create_volume
  std::optional<container::NetworkAttachment> attachment = {};  // connect

  double grace = 10;            // stop: seconds between the signal and KILL
  std::string signal = "TERM";  // stop
  Awaited awaited = Awaited::ready;
  double deadline = 0;   // await: seconds
  bool required = true;  // await: false = a failure is a warning
};

// `container`, `network` and `volume` of its steps point into what it was made from.
struct Plan {
  std::string project;
  std::vector<Step> steps;  // each after those that it waits for
  Strings warnings;
  Strings left;  // what is there and is not touched, with the reason
  // Campaigns that some of it belongs to, each once; "" = of another owner that is none.
  Strings owners;
  bool empty() const { return steps.empty(); }
};

std::string text(const Step& step);  // "create container p-db-1: it is not there"
// A line for each step, numbered from 1, with the numbers of those that it waits for.
std::string text(const Plan& plan);

}  // namespace compose
