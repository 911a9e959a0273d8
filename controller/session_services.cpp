#include "controller/session_services.hpp"

#include <algorithm>
#include <ranges>

#include "controller/engine_watch.hpp"
#include "controller/environment/watch.hpp"
#include "controller/gpu/nvml.hpp"
#include "controller/session_run.hpp"
#include "controller/telemetry/recorder.hpp"

namespace controller {

namespace {

bool declares_a_window(const campaign::Campaign& campaign) {
  const auto declares = [](const campaign::Runner& runner) { return runner.window.has_value(); };
  return (campaign.runner && declares(*campaign.runner)) ||
         std::ranges::any_of(campaign.runners | std::views::values, declares);
}

}  // namespace

void ServiceNotes::operator()(const supervise::Notice& notice) {
  using What = supervise::Step::What;
  const std::string who = notice.service.empty() || notice.service == notice.supervisor
                              ? notice.supervisor
                              : notice.supervisor + ", " + notice.service;
  const std::string& cause = notice.step.cause;
  if (notice.step.what == What::back_off && failing_.insert(who).second)
    progress_->note(who + ": " + cause + "; begun again in " +
                    supervise::seconds_text(notice.step.delay));
  if (notice.step.what == What::running && failing_.erase(who) > 0) progress_->note(who + ": back");
  if (notice.step.what == What::give_up) progress_->note(who + ": given up: " + cause);
  if (notice.step.what == What::lost) progress_->note(who + ": " + cause);
}

std::vector<campaign::Heartbeat::Service> services_of(const supervise::Host& host,
                                                      const ServicesSeen& seen) {
  using Phase = supervise::Phase;
  std::vector<campaign::Heartbeat::Service> all;
  for (const auto& supervisor : host.supervisors()) {
    const auto held = seen.held.find(supervisor->name());
    for (const supervise::ServiceState& state : supervisor->machine().services()) {
      campaign::Heartbeat::Service& one = all.emplace_back();
      one.name = supervisor->name();
      one.service = held == seen.held.end() ? state.policy.name : held->second.first;
      if (held != seen.held.end()) one.worker = held->second.second;
      one.state = supervise::to_text(state.phase);
      if (state.phase == Phase::running)
        one.since_utc = seen.utc - (host.clock().boottime() - state.since);
      one.restarts = std::max(state.incarnation - 1, 0);
    }
  }
  return all;
}

void SessionRun::make_host() {
  host_ = std::make_unique<supervise::Host>(
      supervise::Host::Parts{.io = &loop_.io,
                             .clock = &clock_,
                             .seed = static_cast<std::uint64_t>(clock_.monotonic_ns()),
                             .observer = ServiceNotes(request_.progress)});
}

void SessionRun::make_telemetry() {
  if (!state_.campaign.telemetry.on()) return;
  telemetry_ = std::make_unique<telemetry::Recorder>(telemetry::RecorderParts{
      .settings = &state_.campaign.telemetry,
      .energy = &state_.campaign.energy,
      .baseline_file = state_.located.session.lock().parent_path() / "energy_baseline.json",
      .host_name = context_.host,
      .windows_declared = declares_a_window(state_.campaign),
      .clock = &clock_,
      .results = state_.results,
      .engine = engine_.get(),
      .host = host_.get(),
      .wake = &loop_.wake,
      .roots = {},
      .nvml = gpu::nvml_library});
  context_.recorder = telemetry_.get();
}

void SessionRun::make_watch() {
  watch_ = std::make_unique<EnvironmentWatch>(
      EnvironmentParts{.engine = site_ ? &site_->info : nullptr,
                       .variables = context_.environment,
                       .version = CAMPAIGNCTL_VERSION,
                       .file = state_.results.folder / "environment.json",
                       .clock = &clock_,
                       .wake = &loop_.wake});
  context_.watch = watch_.get();
}

void SessionRun::begin_services() {
  make_telemetry();
  if (!engine_) return;
  watch_engine(*host_, {.engine = engine_.get(),
                        .uid = state_.manifest.uid,
                        .on_event = [this](const container::EngineEvent& event) {
                          docker_->tell(event);
                          persistent_->tell(event);
                          if (compose_) compose_->tell(event);
                        }});
}

}  // namespace controller
