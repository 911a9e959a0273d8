#include "controller/session_services.hpp"

#include <algorithm>
#include <ranges>

#include "controller/engine_watch.hpp"
#include "controller/environment/watch.hpp"
#include "controller/gpu/nvml.hpp"
#include "controller/session_run.hpp"
#include "controller/telemetry/recorder.hpp"
#include "controller/thermal/thermometer.hpp"

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
  if (notice.step.what == What::back_off && failing_.insert(who).second) {
    const double delay = notice.step.delay;
    progress_->note(who + ": " + cause + "; begun again" +
                    (delay > 0 ? " in " + supervise::seconds_text(delay) : ""));
  }
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

void SessionRun::make_thermometer() {
  thermometer_ = std::make_unique<thermal::Thermometer>(thermal::ThermometerParts{
      .wake = &loop_.wake,
      .clock = &clock_,
      .cancelled = [this] { return loop_.stop.no_new_runs(); },
      .open = [](const auto& chips) { return thermal::open_temperatures({}, chips); }});
  context_.temperatures_of = [this](const Attempt& attempt,
                                    double most) -> Task<thermal::Temperatures> {
    using Sensor = campaign::Thermal::Sensor;
    const Sensor sensor = state_.campaign.thermal.sensor;
    auto chips = thermal::chips_of(attempt.devices);
    if (sensor == Sensor::gpu && chips.empty())
      co_return thermal::Temperatures{.all = {}, .why = "the run has no GPU"};
    if (sensor == Sensor::hwmon) chips.clear();
    co_return co_await thermometer_->read(std::move(chips), most);
  };
}

void SessionRun::begin_services() {
  make_telemetry();
  make_thermometer();
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
