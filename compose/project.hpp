// A compose project on an engine: brought up, looked at, entered, taken down. What `docker compose`
// ps, logs, exec and down do works on it too (labels.hpp).
#pragma once

#include "compose/executor.hpp"
#include "compose/observed.hpp"
#include "compose/reconcile.hpp"

namespace compose {

struct UpRequest {
  const Project* project = nullptr;
  DesiredOptions desired = {};  // image_ids are filled in
  UpChoices choices = {};
  ExecutorOptions executor = {};
  std::function<void(const std::string&)> note = {};  // "pulling redis:7"
};

struct UpResult {
  Plan plan;
  Execution execution;
  Observed now;  // afterwards
};
// Images first, by each service's pull policy; then the plan; then its execution. ForeignObject
// where something of another owner is in the way; EngineError where an image cannot be had, or the
// engine cannot be asked at all. A step that fails is a result.
container::Task<UpResult> project_up(container::Engine& engine, const UpRequest& request);

// The images of these services by name as the file has it; pulled where the policy says so.
container::Task<StringMap> resolve_images(container::Engine& engine, const UpRequest& request);

struct DownRequest {
  std::string project;
  DownChoices choices = {};
  ExecutorOptions executor = {};
};
struct DownResult {
  Plan plan;
  Execution execution;
};
// A container whose removal fails does not keep the others.
container::Task<DownResult> project_down(container::Engine& engine, const DownRequest& request);

// The container of a service in which a command is to run: the running one with the lowest number.
// NotPossible says that there is none.
container::Task<ObservedContainer> running_container(container::Engine& engine,
                                                     const std::string& project,
                                                     const std::string& service);

}  // namespace compose
