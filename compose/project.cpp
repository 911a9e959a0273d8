#include "compose/project.hpp"

#include <stdexcept>

#include "compose/graph.hpp"

namespace compose {

namespace {

using container::Engine;
using container::EngineError;
using container::Task;

Task<std::string> image_id(Engine& engine, const UpRequest& request, const Service& service) {
  using When = PullPolicy::When;
  const bool always = service.pull_policy.when == When::always;
  if (!always) {
    const auto image = co_await engine.image(service.image);
    if (image) co_return image->id;
  }
  if (service.pull_policy.when == When::never)
    throw EngineError(404, "service " + service.name + ": image " + service.image +
                               " is not on the engine, and its pull_policy forbids to pull it");
  if (!service.build_command.empty() && !always)
    throw EngineError(404, "service " + service.name + ": image " + service.image +
                               " is not on the engine: build it: " + service.build_command);
  if (request.note) request.note("pulling " + service.image);
  co_await engine.pull(service.image);
  const auto pulled = co_await engine.image(service.image);
  co_return pulled ? pulled->id : service.image;
}

}  // namespace

Task<StringMap> resolve_images(Engine& engine, const UpRequest& request) {
  StringMap ids = request.desired.image_ids;
  auto names = with_dependencies(*request.project, request.choices.services);
  for (const auto& name : names) {
    const Service& service = request.project->services.at(name);
    if (ids.contains(service.image)) continue;
    ids[service.image] = co_await image_id(engine, request, service);
  }
  co_return ids;
}

Task<UpResult> project_up(Engine& engine, const UpRequest& request) {
  DesiredOptions options = request.desired;
  options.image_ids = co_await resolve_images(engine, request);
  const Desired wanted = desired(*request.project, options);
  const Observed before = co_await observe_for(engine, wanted);
  UpResult result{.plan = plan_up(*request.project, wanted, before, request.choices),
                  .execution = {},
                  .now = {}};
  result.execution = co_await execute(engine, result.plan, request.executor);
  result.now = co_await observe(engine, wanted.project);
  for (Step& step : result.plan.steps) {
    step.container = nullptr;
    step.network = nullptr;
    step.volume = nullptr;
  }
  co_return result;
}

Task<DownResult> project_down(Engine& engine, const DownRequest& request) {
  const Observed seen = co_await observe(engine, request.project);
  DownResult result{.plan = plan_down(seen, request.choices), .execution = {}};
  ExecutorOptions options = request.executor;
  options.on_failure = ExecutorOptions::OnFailure::go_on;
  result.execution = co_await execute(engine, result.plan, options);
  co_return result;
}

Task<ObservedContainer> running_container(Engine& engine, const std::string& project,
                                          const std::string& service) {
  const Observed seen = co_await observe(engine, project);
  for (const auto& one : seen.containers)
    if (one.service == service && !one.oneoff && one.status == container::ContainerStatus::running)
      co_return one;
  throw NotPossible("no container of service " + service + " runs in project " + project);
}

}  // namespace compose
