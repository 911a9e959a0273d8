#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

#include "campaign/state/descriptor.hpp"
#include "campaign/state/files.hpp"
#include "campaign/state/members.hpp"

namespace campaign {

namespace {

namespace fs = std::filesystem;

constexpr std::array whens = {"after_run", "after_cycle", "now"};

template <class Visitor, class T>
void beat_members(Visitor& visit, T& beat) {
  visit("writer", beat.writer);
  visit("host", beat.host);
  visit("pid", beat.pid);
  visit("stage", beat.stage);
  visit("wait_reason", beat.wait_reason);
  visit("wait_until_utc", beat.wait_until_utc);
  visit("utc", beat.utc);
  visit.always("interval", beat.interval);
}

template <class Visitor, class T>
void worker_members(Visitor& visit, T& worker) {
  visit.always("id", worker.id);
  visit("run", worker.run);
  visit("stage", worker.stage);
  visit("wait", worker.wait);
  visit("started_utc", worker.started_utc);
  visit("initialization_ms", worker.initialization_ms);
}

template <class Visitor, class T>
void service_members(Visitor& visit, T& service) {
  visit("name", service.name);
  visit("service", service.service);
  visit("worker", service.worker);
  visit("state", service.state);
  visit("since_utc", service.since_utc);
  visit("restarts", service.restarts);
}

// `members` is given a visitor and an element; of a missing list nothing is read.
template <class T, class Members>
void read_list(const std::string_view* text, std::vector<T>& list, const Members& members) {
  if (text == nullptr) return;
  json_text::Reader reader(*text);
  reader.begin_array();
  while (reader.next_element()) {
    json_text::ObjectReader one(reader.raw());
    members(one, list.emplace_back());
  }
}

template <class T, class Members>
std::string list_text(const std::vector<T>& list, const Members& members) {
  std::string text = "[";
  for (const T& one : list) {
    text += &one == list.data() ? "{" : ",{";
    json_text::ObjectWriter writer(text);
    members(writer, one);
    text += "}";
  }
  return text + "]";
}

std::vector<fs::path> json_files(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code gone;
  for (const auto& entry : fs::directory_iterator(folder, gone)) {
    const std::string name = entry.path().filename();
    if (entry.path().extension() == ".json" && !name.starts_with('.'))
      files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

Heartbeat read_heartbeat(const std::string& text) {
  Heartbeat beat;
  json_text::ObjectReader reader(text);
  beat_members(reader, beat);
  read_list(reader.find("workers"), beat.workers,
            [](auto& visit, auto& one) { worker_members(visit, one); });
  read_list(reader.find("services"), beat.services,
            [](auto& visit, auto& one) { service_members(visit, one); });
  return beat;
}

std::optional<StopRequest> read_request(const fs::path& file) {
  try {
    const std::string text = read_file(file);
    json_text::ObjectReader reader(text);
    std::string when;
    reader.always("when", when);
    const auto known = std::find(whens.begin(), whens.end(), when);
    if (known == whens.end()) return std::nullopt;
    return StopRequest{static_cast<StopRequest::When>(known - whens.begin())};
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

}  // namespace

void write_heartbeat(const fs::path& folder, const Heartbeat& beat) {
  std::string text = "{";
  json_text::ObjectWriter writer(text);
  beat_members(writer, beat);
  text += ",\"workers\":" +
          list_text(beat.workers, [](auto& visit, auto& one) { worker_members(visit, one); });
  if (!beat.services.empty())
    text += ",\"services\":" +
            list_text(beat.services, [](auto& visit, auto& one) { service_members(visit, one); });
  text += "}\n";
  make_private_folders(folder);
  const fs::path path = folder / (beat.writer + ".json");
  const fs::path temporary = folder / ("." + beat.writer + ".json.tmp");
  const Descriptor file(
      ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file || !write_all(file.get(), text)) throw_errno("cannot write", path);
  if (::rename(temporary.c_str(), path.c_str()) != 0) throw_errno("cannot replace", path);
}

std::vector<Heartbeat> read_heartbeats(const fs::path& folder) {
  std::vector<Heartbeat> beats;
  for (const fs::path& file : json_files(folder)) {
    try {
      beats.push_back(read_heartbeat(read_file(file)));
    } catch (const std::exception&) {
      continue;
    }
  }
  return beats;
}

void write_stop_request(const fs::path& folder, const StopRequest& request) {
  make_private_folders(folder);
  const std::string text =
      std::string("{\"when\":\"") + whens.at(static_cast<std::size_t>(request.when)) + "\"}\n";
  for (int n = 1;; ++n) {
    try {
      write_exclusively(folder / (std::to_string(n) + ".json"), text);
      return;
    } catch (const std::system_error& error) {
      if (error.code().value() != EEXIST) throw;
    }
  }
}

std::optional<StopRequest> take_stop_request(const fs::path& folder) {
  std::optional<StopRequest> strongest;
  for (const fs::path& file : json_files(folder)) {
    const auto request = read_request(file);
    if (request && (!strongest || request->when > strongest->when)) strongest = request;
    ::unlink(file.c_str());
  }
  return strongest;
}

}  // namespace campaign
