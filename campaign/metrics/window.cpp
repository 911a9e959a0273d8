#include <algorithm>
#include <nlohmann/json.hpp>

#include "campaign/metrics/metrics.hpp"
#include "campaign/metrics/text.hpp"

namespace campaign {
namespace {

using nlohmann::json;

constexpr const char* metrics_file = "metrics.jsonl";

struct Mark {
  std::int64_t at = 0;
  bool begin = false;
};

struct Marks {
  std::vector<Mark> marks;
  std::size_t broken_lines = 0;
  std::string invalid;
};

bool says(const json& object, const char* key, const char* value) {
  const auto member = object.find(key);
  return member != object.end() && member->is_string() && *member == value;
}

void take_line(Marks& out, std::string_view line, bool whole) {
  if (line.find("phase") == std::string_view::npos) return;
  const json object = json::parse(line, nullptr, false);
  if (!object.is_object()) {
    out.broken_lines += whole ? 1 : 0;
    return;
  }
  if (!says(object, "kind", "phase") || !says(object, "name", "measure")) return;
  const bool begin = says(object, "mark", "begin");
  const auto at = object.find("mono_ns");
  if ((begin || says(object, "mark", "end")) && at != object.end() && at->is_number_integer())
    out.marks.push_back({at->get<std::int64_t>(), begin});
  else if (out.invalid.empty())
    out.invalid =
        std::string(metrics_file) +
        ": a phase measure line needs \"mark\":\"begin\" or \"end\" and an integer mono_ns";
}

Marks read_marks(const AttemptFiles& files) {
  Marks out;
  if (!files.has(metrics_file)) return out;
  const Fd fd = files.open(metrics_file);
  if (!fd) {
    out.invalid = std::string(metrics_file) + " cannot be opened";
    return out;
  }
  out.broken_lines +=
      each_line(fd.get(), [&](std::string_view line, bool whole) { take_line(out, line, whole); });
  std::sort(out.marks.begin(), out.marks.end(), [](const Mark& a, const Mark& b) {
    return a.at < b.at || (a.at == b.at && a.begin && !b.begin);
  });
  return out;
}

std::string outside(const std::vector<Mark>& marks, const ProcessTimes& process) {
  for (const auto& mark : marks)
    if (mark.at < process.start_ns || mark.at > process.end_ns)
      return std::string(metrics_file) + ": phase measure " + (mark.begin ? "begin" : "end") +
             " at " + std::to_string(mark.at) + " ns lies outside the process (" +
             std::to_string(process.start_ns) + " to " + std::to_string(process.end_ns) + ")";
  return {};
}

struct Union {
  std::int64_t nanoseconds = 0;
  std::vector<MeasureWindow::Part> parts;
  std::int64_t last_begin = 0;
  int open = 0;
  bool end_first = false;

  void close(std::int64_t at) {
    nanoseconds += at - last_begin;
    parts.push_back({last_begin, at});
  }
};

Union unite(const std::vector<Mark>& marks) {
  Union out;
  for (const auto& mark : marks) {
    if (mark.begin) {
      if (out.open++ == 0) out.last_begin = mark.at;
    } else if (out.open == 0) {
      out.end_first = true;
    } else if (--out.open == 0) {
      out.close(mark.at);
    }
  }
  return out;
}

double seconds(std::int64_t nanoseconds) { return static_cast<double>(nanoseconds) * 1e-9; }

void fall_back(WindowReading& out, const WindowRequest& request) {
  if (!request.process) {
    out.window.seconds = request.fallback_seconds;
    return;
  }
  const auto& process = *request.process;
  out.window.begin_ns = process.pattern_begin_ns.value_or(process.start_ns);
  out.window.end_ns = process.end_ns;
  if (process.pattern_begin_ns) {
    out.window.source = MeasureWindow::Source::pattern;
    if (process.pattern_end_ns)
      out.window.end_ns = *process.pattern_end_ns;
    else
      out.notes.push_back("the window's end pattern did not match: it ends with the process");
  }
  out.window.seconds = seconds(out.window.end_ns - out.window.begin_ns);
}

bool from_marks(WindowReading& out, const WindowRequest& request, const std::vector<Mark>& marks) {
  Union united = unite(marks);
  if (united.end_first) {
    out.invalid = std::string(metrics_file) + ": a phase measure end has no begin before it";
    return false;
  }
  std::int64_t end = marks.back().at;
  if (united.open > 0) {
    if (!request.process) {
      out.notes.push_back("phase measure has no end, and when the process ended is not known");
      return false;
    }
    end = request.process->end_ns;
    united.close(end);
    out.notes.push_back("phase measure has no end: the window ends with the process");
  }
  if (united.parts.size() > 1)
    out.notes.push_back("the window is the sum of " + std::to_string(united.parts.size()) +
                        " phase measure intervals");
  out.window = {MeasureWindow::Source::phase, seconds(united.nanoseconds), marks.front().at, end};
  if (united.parts.size() > 1) out.window.parts = std::move(united.parts);
  return true;
}

}  // namespace

const char* name_of(MeasureWindow::Source source) {
  switch (source) {
    case MeasureWindow::Source::phase:
      return "phase";
    case MeasureWindow::Source::pattern:
      return "pattern";
    case MeasureWindow::Source::process:
      return "process";
  }
  return "process";
}

WindowReading read_window(const WindowRequest& request) {
  WindowReading out;
  const Marks marks = request.files ? read_marks(*request.files) : Marks{};
  out.invalid = marks.invalid;
  if (marks.broken_lines > 0)
    out.notes.push_back(std::to_string(marks.broken_lines) + " lines of " + metrics_file +
                        " are no JSON objects or too long, left out");
  if (out.invalid.empty() && request.process) out.invalid = outside(marks.marks, *request.process);
  if (out.invalid.empty() && !marks.marks.empty() && from_marks(out, request, marks.marks))
    return out;
  fall_back(out, request);
  return out;
}

}  // namespace campaign
