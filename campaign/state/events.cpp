#include "campaign/state/events.hpp"

#include <array>
#include <stdexcept>
#include <type_traits>

#include "campaign/state/crc32c.hpp"
#include "campaign/state/members.hpp"

namespace campaign {

namespace {

constexpr std::array class_names = {"none",           "payload", "config",       "oom",
                                    "gpu_oom",        "timeout", "stalled",      "missing_result",
                                    "invalid_result", "infra",   "contaminated", "interrupted"};
static_assert(class_names.size() == static_cast<std::size_t>(FailureClass::interrupted) + 1);

constexpr std::array event_names = {"session_started", "controller_started", "claimed",
                                    "gap_started",     "starting",           "adopted",
                                    "exited",          "completed",          "failed",
                                    "interrupted",     "released",           "skipped",
                                    "reopened",        "superseded",         "pilot_done",
                                    "cycle_entered",   "plan_revised",       "image_resolved",
                                    "cleanup_owed",    "cleanup_done",       "paused",
                                    "drained",         "abandoned",          "finished"};
static_assert(event_names.size() == std::variant_size_v<Event>);

using json_text::gap_members;

constexpr std::string_view version = "1";

template <class T, class Plain>
concept Like = std::is_same_v<std::remove_const_t<T>, Plain>;

template <class V, class T>
void attempt(V& visit, T& e) {
  visit.always("run", e.run);
  visit.always("attempt", e.attempt);
}

template <class V, class T>
void times(V& visit, T& e) {
  visit.seconds("duration", e.duration);
  visit.seconds("end_boot", e.finished_boottime);
  visit.seconds("end", e.finished_utc);
  visit.seconds("start", e.started_utc);
  visit("stages", e.stages);
}

template <class V, class T>
void exit_members(V& visit, T& e) {
  visit("code", e.exit_code);
  visit("signal", e.signal);
  visit("oom_killed", e.oom_killed);
}

template <class V, Like<event::SessionStarted> T>
void members(V& visit, T& e) {
  visit("uid", e.uid);
  visit("session", e.session);
  visit("campaign", e.campaign_id);
  visit("engine", e.engine_id);
}
template <class V, Like<event::ControllerStarted> T>
void members(V& visit, T& e) {
  visit("host", e.host);
  visit("pid", e.pid);
  visit("engine", e.engine_id);
  visit("version", e.version);
}
template <class V, Like<event::Claimed> T>
void members(V& visit, T& e) {
  attempt(visit, e);
  visit("worker", e.worker);
  visit("container", e.container);
  visit("engine", e.engine_id);
  visit("host", e.host);
  visit("position", e.position);
  visit("service", e.service);
  visit("gpus", e.gpus);
}
template <class V, Like<event::GapStarted> T>
void members(V& visit, T& e) {
  attempt(visit, e);
  visit.always("until", e.until);
  visit("reason", e.reason);
}
template <class V, Like<event::Starting> T>
void members(V& visit, T& e) {
  attempt(visit, e);
  visit("id", e.container_id);
  visit("pid", e.pid);
  visit("pid_start", e.pid_start);
  visit.seconds("utc", e.utc);
  visit("server", e.server);
  gap_members(visit, e.gap);
}
template <class V, Like<event::Adopted> T>
void members(V& visit, T& e) {
  attempt(visit, e);
  visit("from", e.from);
  visit("from_seq", e.from_seq);
  visit("id", e.container_id);
}
template <class V, Like<event::Exited> T>
void members(V& visit, T& e) {
  attempt(visit, e);
  exit_members(visit, e);
  visit("how", e.how);
  visit.seconds("end", e.finished_utc);
}
template <class V, Like<event::Completed> T>
void members(V& visit, T& e) {
  attempt(visit, e);
  times(visit, e);
  visit("resumed", e.resumed);
  visit("invalid", e.invalid);
}
template <class V, Like<event::Failed> T>
void members(V& visit, T& e) {
  attempt(visit, e);
  visit.always("class", e.cls);
  exit_members(visit, e);
  visit("message", e.message);
  visit.tail("log_tail", e.log_tail);
  times(visit, e);
  visit("retry_not_before", e.retry_not_before_utc);
  visit.always("final", e.final);
}
template <class V, Like<event::Interrupted> T>
void members(V& visit, T& e) {
  attempt(visit, e);
  visit("reason", e.reason);
  visit.seconds("utc", e.utc);
}
template <class V, Like<event::Released> T>
void members(V& visit, T& e) {
  attempt(visit, e);
}
template <class V, Like<event::Skipped> T>
void members(V& visit, T& e) {
  visit.always("run", e.run);
  visit("reason", e.reason);
}
template <class V, Like<event::Reopened> T>
void members(V& visit, T& e) {
  visit.always("run", e.run);
  visit("reason", e.reason);
}
template <class V, Like<event::Superseded> T>
void members(V& visit, T& e) {
  attempt(visit, e);
}
template <class V, Like<event::PilotDone> T>
void members(V& visit, T& e) {
  visit.always("experiment", e.experiment);
  visit.always("attempt", e.attempt);
  visit.always("ok", e.ok);
  visit.seconds("duration", e.duration);
  visit("message", e.message);
}
template <class V, Like<event::CycleEntered> T>
void members(V& visit, T& e) {
  visit.always("cycle", e.cycle);
}
template <class V, Like<event::PlanRevised> T>
void members(V& visit, T& e) {
  visit.always("revision", e.revision);
  visit("reason", e.reason);
  visit("changes", e.changes);
}
template <class V, Like<event::ImageResolved> T>
void members(V& visit, T& e) {
  visit.always("image", e.image);
  visit("id", e.id);
  visit("identity", e.identity);
}
template <class V, Like<event::CleanupOwed> T>
void members(V& visit, T& e) {
  visit.words("argv", e.argv);
}
template <class V, Like<event::CleanupDone> T>
void members(V& visit, T& e) {
  visit.always("code", e.exit_code);
}
template <class V, class T>
  requires(Like<T, event::Paused> || Like<T, event::Drained> || Like<T, event::Abandoned>)
void members(V& visit, T& e) {
  visit("reason", e.reason);
}
template <class V, Like<event::Finished> T>
void members(V& visit, T& e) {
  visit.always("code", e.exit_code);
}

template <std::size_t I = 0>
Event decode_event(const std::string& name, json_text::ObjectReader& reader) {
  if constexpr (I < std::variant_size_v<Event>) {
    if (name != event_names[I]) return decode_event<I + 1>(name, reader);
    std::variant_alternative_t<I, Event> event;
    members(reader, event);
    return event;
  } else {
    throw std::runtime_error("unknown event \"" + name + "\"");
  }
}

}  // namespace

const char* name_of(FailureClass c) { return class_names.at(static_cast<std::size_t>(c)); }

std::optional<FailureClass> failure_class(const std::string& name) {
  for (std::size_t i = 0; i < class_names.size(); ++i) {
    if (name == class_names[i]) return static_cast<FailureClass>(i);
  }
  return std::nullopt;
}

const char* event_name(const Event& event) { return event_names.at(event.index()); }

std::string encode_record(const Record& record) {
  std::string p = "{\"v\":1";
  p.reserve(512);
  json_text::ObjectWriter writer(p);
  writer.always("seq", record.seq);
  writer.always("t", record.t);
  writer.always("mono_ns", record.mono_ns);
  writer.always("boot", record.boot);
  writer.always("event", std::string(event_name(record.event)));
  std::visit([&](const auto& event) { members(writer, event); }, record.event);
  return sealed(std::move(p));
}

Record decode_record(const std::string& line) {
  std::string_view text = line;
  if (text.ends_with('\n')) text.remove_suffix(1);
  if (!unsealed(text)) throw std::runtime_error("bad crc");
  json_text::ObjectReader reader(text);
  if (const auto* v = reader.find("v"); v == nullptr || *v != version) {
    throw std::runtime_error("unknown record version " + std::string(v ? *v : "none") +
                             ", this program reads version 1");
  }
  Record record;
  std::string name;
  reader.always("seq", record.seq);
  reader.always("t", record.t);
  reader("mono_ns", record.mono_ns);
  reader("boot", record.boot);
  reader.always("event", name);
  record.event = decode_event(name, reader);
  return record;
}

}  // namespace campaign
