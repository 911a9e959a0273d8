#include <algorithm>
#include <array>
#include <stdexcept>

#include "campaign/state/crc32c.hpp"
#include "campaign/state/fold.hpp"
#include "campaign/state/members.hpp"

namespace campaign {

namespace {

using json_text::ObjectReader;
using json_text::ObjectWriter;
using json_text::Reader;

constexpr int version = 1;

// Texts that many runs share, written once and named by their number.
class SharedWriter {
 public:
  std::int64_t number(const std::string& text) {
    if (text.empty()) return 0;
    if (last_ != nullptr && last_->first == text) return last_->second;
    const auto [entry, fresh] =
        numbers_.emplace(text, static_cast<std::int64_t>(texts_.size()) + 1);
    if (fresh) texts_.push_back(text);
    last_ = &*entry;
    return entry->second;
  }
  const std::vector<std::string>& texts() const { return texts_; }

 private:
  std::map<std::string, std::int64_t> numbers_;
  std::vector<std::string> texts_;
  const std::pair<const std::string, std::int64_t>* last_ = nullptr;
};

class RunWriter : public ObjectWriter {
 public:
  RunWriter(std::string& out, SharedWriter& shared) : ObjectWriter(out), shared_(shared) {}
  void shared(const char* key, const std::string& text) { (*this)(key, shared_.number(text)); }

 private:
  SharedWriter& shared_;
};

class RunReader : public ObjectReader {
 public:
  RunReader(std::string_view text, const std::vector<std::string>& texts)
      : ObjectReader(text), texts_(texts) {}
  void shared(const char* key, std::string& text) {
    std::int64_t number = 0;
    (*this)(key, number);
    text = number == 0 ? "" : texts_.at(static_cast<std::size_t>(number - 1));
  }

 private:
  const std::vector<std::string>& texts_;
};

// A stamp in a list of its own: [n, sum of the writer's name, seq].
Stamp stamp_from(std::string_view raw) {
  Reader reader(raw);
  std::array<std::int64_t, 3> numbers{};
  reader.begin_array();
  for (std::size_t i = 0; reader.next_element(); ++i) numbers.at(i) = reader.integer();
  return {static_cast<int>(numbers[0]), static_cast<std::uint32_t>(numbers[1]), numbers[2]};
}

void append_stamp(std::string& out, const Stamp& stamp) {
  out += '[';
  json_text::append_number(out, static_cast<std::int64_t>(stamp.generation));
  out += ',';
  json_text::append_number(out, static_cast<std::int64_t>(stamp.writer));
  out += ',';
  json_text::append_number(out, stamp.seq);
  out += ']';
}

void stamp_member(ObjectWriter& visit, const char* key, const Stamp& stamp) {
  append_stamp(visit.named(key), stamp);
}

void stamp_member(ObjectReader& visit, const char* key, Stamp& stamp) {
  if (const auto* raw = visit.find(key)) stamp = stamp_from(*raw);
}

// The stamps of a run are one flat list of pairs: number of the writer in `writers`, seq.
template <class T>
auto stamps_of(T& run) {
  return std::array{&run.top_used, &run.top_released, &run.refused_skip, &run.moved,
                    &run.newest,   &run.barrier,      &run.ended,        &run.claimed,
                    &run.started,  &run.exited,       &run.owned,        &run.handed_over};
}

template <class V, class T>
void run_members(V& visit, T& run) {
  visit("attempt", run.attempt);
  visit("failures", run.failures);
  visit("reruns", run.reruns);
  visit("interruptions", run.interruptions);
  visit("final", run.final);
  visit("exit_known", run.exit_known);
  visit("repeated", run.repeated);
  visit("resumed", run.resumed);
  visit("worker", run.worker);
  visit("position", run.position);
  visit("code", run.exit_code);
  visit("signal", run.signal);
  visit.shared("owner", run.owner);
  visit("container", run.container);
  visit("id", run.container_id);
  visit("service", run.service);
  visit("server", run.server);
  visit.shared("gpus", run.gpus);
  visit.shared("engine", run.engine_id);
  visit.shared("host", run.host);
  visit("pid", run.pid);
  visit("pid_start", run.pid_start);
  visit("claimed", run.claimed_utc);
  visit("start", run.started_utc);
  visit("end", run.finished_utc);
  visit("duration", run.duration);
  visit("verification", run.verification);
  visit("retry_not_before", run.retry_not_before_utc);
  visit("message", run.message);
  visit("released", run.released);
  visit("top", run.top);
  visit("refused_reason", run.refused_reason);
  visit("seen", run.seen);
}

template <class V, class T>
void fold_members(V& visit, T& fold) {
  visit("uid", fold.uid);
  visit("session", fold.session);
  visit("campaign", fold.campaign_id);
  visit("last_end", fold.last_finished_utc);
  visit("last_end_boot", fold.last_finished_boottime);
  visit("last_boot", fold.last_finished_boot);
  visit("cycle", fold.cycle_entered);
  visit("position", fold.position);
  visit("revision", fold.revision);
  visit("abandoned", fold.abandoned);
  visit("finished", fold.finished);
  visit("paused", fold.paused);
  visit("drained", fold.drained);
  visit("started", fold.started_utc);
  visit("ended", fold.ended_utc);
  visit("last", fold.last_utc);
  visit("violations", fold.violations);
}

RunPhase phase_named(const std::string& name) {
  for (int i = 0; i <= static_cast<int>(RunPhase::skipped); ++i) {
    if (name == name_of(static_cast<RunPhase>(i))) return static_cast<RunPhase>(i);
  }
  throw std::runtime_error("unknown phase \"" + name + "\"");
}

class SnapshotWriter {
 public:
  explicit SnapshotWriter(const Snapshot& snapshot) : snapshot_(snapshot), fold_(snapshot.fold) {}

  std::string write() {
    out_.reserve(fold_.runs.size() * 520 + 4096);
    out_ = "{\"snapshot\":" + std::to_string(version);
    write_offsets();
    write_fold();
    write_outcomes();
    write_gaps();
    std::map<std::string_view, const RunState*> pilots;
    for (const auto& [name, run] : fold_.pilots) pilots.emplace(name, &run);
    write_runs("pilots", {pilots.begin(), pilots.end()});
    std::vector<Named> runs;
    runs.reserve(fold_.runs.size());
    for (const auto& [name, run] : fold_.runs) runs.emplace_back(name, &run);
    std::sort(runs.begin(), runs.end());
    write_runs("runs", runs);
    write_writers();
    out_ += ",\n\"shared\":";
    write_list(shared_.texts());
    return sealed(std::move(out_)) + "\n";
  }

 private:
  using Named = std::pair<std::string_view, const RunState*>;

  void write_list(const std::vector<std::string>& texts) {
    char separator = '[';
    for (const std::string& text : texts) {
      out_ += separator;
      separator = ',';
      json_text::append_string(out_, text);
    }
    out_ += texts.empty() ? "[]" : "]";
  }

  void write_numbers(const char* key, const std::map<std::string, std::int64_t>& numbers) {
    out_ += std::string(",\n\"") + key + "\":{";
    for (const auto& [name, number] : numbers) {
      if (out_.back() != '{') out_ += ',';
      json_text::append_string(out_, name);
      out_ += ':';
      json_text::append_number(out_, number);
    }
    out_ += '}';
  }

  void write_offsets() {
    write_numbers("offsets", snapshot_.offsets);
    write_numbers("last_seq", fold_.last_seq);
    out_ += ",\n\"latest\":{";
    for (const auto& [name, stamp] : fold_.latest) {
      if (out_.back() != '{') out_ += ',';
      json_text::append_string(out_, name);
      out_ += ':';
      append_stamp(out_, stamp);
    }
    out_ += '}';
  }

  void write_fold() {
    out_ += ",\n\"session\":{";
    ObjectWriter visit(out_);
    fold_members(visit, fold_);
    if (fold_.cleanup_owed) visit.words("cleanup_owed", *fold_.cleanup_owed);
    out_ += "},\n\"images\":[";
    for (const auto& [name, image] : fold_.images) {
      if (out_.back() != '[') out_ += ",";
      write_list({name, image.id, image.identity});
    }
    out_ += ']';
  }

  void write_outcomes() {
    out_ += ",\n\"outcomes\":[";
    for (std::size_t i = 0; i < fold_.outcomes.size(); ++i) {
      out_ += i == 0 ? "[" : ",[";
      json_text::append_string(out_, fold_.outcomes[i].first);
      out_ += ',';
      json_text::append_string(out_, name_of(fold_.outcomes[i].second));
      out_ += ',';
      append_stamp(out_, fold_.outcome_stamps[i]);
      out_ += ']';
    }
    out_ += ']';
  }

  void write_gaps() {
    out_ += ",\n\"gaps\":[";
    for (const auto& [name, gap] : fold_.gaps) {
      out_ += out_.back() == '[' ? "{" : ",{";
      ObjectWriter visit(out_);
      visit.always("run", name);
      visit.always("until", gap.until);
      stamp_member(visit, "at", gap.stamp);
      out_ += '}';
    }
    out_ += ']';
  }

  void write_runs(const char* key, const std::vector<Named>& runs) {
    out_ += std::string(",\n\"") + key + "\":[";
    for (const auto& [name, run] : runs) {
      out_ += out_.back() == '[' ? "\n{" : ",\n{";
      RunWriter visit(out_, shared_);
      json_text::append_string(visit.named("run"), name);
      visit.always("phase", std::string(name_of(run->phase)));
      if (run->cls != FailureClass::none) visit.always("class", run->cls);
      run_members(visit, *run);
      write_stamps(visit.named("at"), *run);
      out_ += '}';
    }
    out_ += ']';
  }

  void write_stamps(std::string& out, const RunState& run) {
    char separator = '[';
    for (const Stamp* stamp : stamps_of(run)) {
      out += separator;
      separator = ',';
      json_text::append_number(out, writer_number(*stamp));
      out += ',';
      json_text::append_number(out, stamp->seq);
    }
    out += ']';
  }

  std::int64_t writer_number(const Stamp& stamp) {
    const Stamp writer{stamp.generation, stamp.writer, 0};
    for (std::size_t i = writers_.size(); i > 0; --i) {
      if (writers_[i - 1] == writer) return static_cast<std::int64_t>(i - 1);
    }
    writers_.push_back(writer);
    return static_cast<std::int64_t>(writers_.size() - 1);
  }

  void write_writers() {
    out_ += ",\n\"writers\":[";
    for (const Stamp& writer : writers_) {
      if (out_.back() != '[') out_ += ',';
      append_stamp(out_, writer);
    }
    out_ += ']';
  }

  const Snapshot& snapshot_;
  const Fold& fold_;
  SharedWriter shared_;
  std::vector<Stamp> writers_ = {Stamp{}};
  std::string out_;
};

class SnapshotReader {
 public:
  explicit SnapshotReader(std::string_view text) : top_(text) {}

  Snapshot read() {
    int found = 0;
    top_.always("snapshot", found);
    if (found != version) throw std::runtime_error("another version");
    snapshot_.offsets = read_numbers("offsets");
    fold_.last_seq = read_numbers("last_seq");
    Reader latest = member("latest");
    latest.begin_object();
    for (std::string_view key; latest.next_member(key);) {
      fold_.latest[Reader::unescape(key)] = stamp_from(latest.raw());
    }
    ObjectReader session(*found_member("session"));
    fold_members(session, fold_);
    if (session.find("cleanup_owed") != nullptr)
      session.words("cleanup_owed", fold_.cleanup_owed.emplace());
    read_lists();
    read_gaps();
    top_("shared", shared_);
    Reader writers = member("writers");
    writers.begin_array();
    while (writers.next_element()) writers_.push_back(stamp_from(writers.raw()));
    read_runs("pilots",
              [this](std::string&& name) -> RunState& { return fold_.pilots[std::move(name)]; });
    read_runs("runs",
              [this](std::string&& name) -> RunState& { return fold_.runs[std::move(name)]; });
    return std::move(snapshot_);
  }

 private:
  const std::string_view* found_member(const char* key) {
    const auto* raw = top_.find(key);
    if (raw == nullptr) throw std::runtime_error(std::string("no ") + key);
    return raw;
  }
  Reader member(const char* key) { return Reader(*found_member(key)); }

  std::map<std::string, std::int64_t> read_numbers(const char* key) {
    std::map<std::string, std::int64_t> numbers;
    Reader reader = member(key);
    reader.begin_object();
    for (std::string_view name; reader.next_member(name);) {
      std::string text = Reader::unescape(name);
      numbers[std::move(text)] = reader.integer();
    }
    return numbers;
  }

  static std::vector<std::string_view> elements(std::string_view raw, std::size_t count) {
    std::vector<std::string_view> found;
    Reader reader(raw);
    reader.begin_array();
    while (reader.next_element()) found.push_back(reader.raw());
    if (found.size() != count) throw std::runtime_error("a list of another length");
    return found;
  }

  void read_lists() {
    Reader images = member("images");
    images.begin_array();
    while (images.next_element()) {
      const auto parts = elements(images.raw(), 3);
      event::ImageResolved image{Reader(parts[0]).string(), Reader(parts[1]).string(),
                                 Reader(parts[2]).string()};
      const std::string name = image.image;
      fold_.images[name] = std::move(image);
    }
    Reader outcomes = member("outcomes");
    outcomes.begin_array();
    while (outcomes.next_element()) {
      const auto parts = elements(outcomes.raw(), 3);
      const auto cls = failure_class(Reader(parts[1]).string());
      fold_.outcomes.emplace_back(Reader(parts[0]).string(), cls.value());
      fold_.outcome_stamps.push_back(stamp_from(parts[2]));
    }
  }

  void read_gaps() {
    Reader gaps = member("gaps");
    gaps.begin_array();
    while (gaps.next_element()) {
      ObjectReader visit(gaps.raw());
      std::string name;
      PendingGap gap;
      visit.always("run", name);
      visit.always("until", gap.until);
      stamp_member(visit, "at", gap.stamp);
      fold_.gaps.emplace(std::move(name), std::move(gap));
    }
    choose_gap(fold_);
  }

  template <class Place>
  void read_runs(const char* key, const Place& place) {
    const std::string_view raw = *found_member(key);
    fold_.runs.reserve(fold_.runs.size() +
                       static_cast<std::size_t>(std::count(raw.begin(), raw.end(), '\n')));
    Reader list(raw);
    list.begin_array();
    while (list.next_element()) {
      RunReader visit(list.raw(), shared_);
      std::string name, phase;
      visit.always("run", name);
      visit.always("phase", phase);
      RunState& run = place(std::move(name));
      run.phase = phase_named(phase);
      visit("class", run.cls);
      run_members(visit, run);
      read_stamps(visit, run);
    }
  }

  void read_stamps(ObjectReader& visit, RunState& run) const {
    const auto* raw = visit.find("at");
    if (raw == nullptr) throw std::runtime_error("no stamps");
    const auto stamps = stamps_of(run);
    Reader list(*raw);
    list.begin_array();
    for (std::size_t i = 0; list.next_element(); ++i) {
      Stamp& stamp = *stamps.at(i);
      stamp = writers_.at(static_cast<std::size_t>(list.integer()));
      if (!list.next_element()) throw std::runtime_error("an odd number of stamps");
      stamp.seq = list.integer();
    }
  }

  ObjectReader top_;
  std::vector<Stamp> writers_;
  Snapshot snapshot_;
  Fold& fold_ = snapshot_.fold;
  std::vector<std::string> shared_;
};

}  // namespace

std::string write_snapshot(const Snapshot& snapshot) { return SnapshotWriter(snapshot).write(); }

std::optional<Snapshot> read_snapshot(const std::string& text) {
  std::string_view whole = text;
  if (whole.ends_with('\n')) whole.remove_suffix(1);
  if (!unsealed(whole)) return std::nullopt;
  try {
    return SnapshotReader(whole).read();
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

}  // namespace campaign
