#include "controller/engine_watch.hpp"
#include "controller/session_run.hpp"

namespace controller {

namespace {

// What a person should hear of the services: that one fails, once, and that it is back.
class ServiceNotes {
 public:
  explicit ServiceNotes(Progress* progress) : progress_(progress) {}

  void operator()(const supervise::Notice& notice) {
    using What = supervise::Step::What;
    const std::string who = notice.service.empty() || notice.service == notice.supervisor
                                ? notice.supervisor
                                : notice.supervisor + ", " + notice.service;
    const std::string& cause = notice.step.cause;
    if (notice.step.what == What::back_off && failing_.insert(who).second)
      progress_->note(who + ": " + cause + "; begun again in " +
                      supervise::seconds_text(notice.step.delay));
    if (notice.step.what == What::running && failing_.erase(who) > 0)
      progress_->note(who + ": back");
    if (notice.step.what == What::give_up) progress_->note(who + ": given up: " + cause);
    if (notice.step.what == What::lost) progress_->note(who + ": " + cause);
  }

 private:
  Progress* progress_;
  std::set<std::string> failing_;
};

}  // namespace

void SessionRun::make_host() {
  host_ = std::make_unique<supervise::Host>(
      supervise::Host::Parts{.io = &loop_.io,
                             .clock = &clock_,
                             .seed = static_cast<std::uint64_t>(clock_.monotonic_ns()),
                             .observer = ServiceNotes(request_.progress)});
}

void SessionRun::begin_services() {
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
