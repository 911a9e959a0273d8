// Numbers out of what a run left: the measure window and the metrics that a campaign declares. What
// is read and how is written down in docs/files.md. Problems are values, so that a failed run still
// carries what could be read.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "campaign/config/campaign.hpp"
#include "campaign/metrics/attempt_files.hpp"

namespace campaign {

// The window that a run's figures cover.
struct MeasureWindow {
  enum class Source { phase, pattern, process } source = Source::process;
  double seconds = 0;
  std::int64_t begin_ns = 0, end_ns = 0;  // CLOCK_MONOTONIC; 0 = not known
  struct Part {
    std::int64_t begin_ns = 0, end_ns = 0;
    bool operator==(const Part&) const = default;
  };
  std::vector<Part> parts;  // of a window in several pieces, in order; else empty
};
const char* name_of(MeasureWindow::Source source);  // "phase", "pattern", "process"

struct MetricValue {
  std::string name;
  double value = 0;
  std::string unit;
  Direction better = Direction::unspecified;
  bool primary = false;
  bool sampled = false;  // by the sampler, not declared: tables leave it out unless asked for it
};
const char* name_of(Direction direction);  // "unspecified", "higher", "lower"

// What is wrong with a run's numbers. missing = a value that was promised is not there; invalid =
// it is no number.
struct MetricProblem {
  enum class Kind { missing, invalid } kind = Kind::missing;
  std::string message;
};

// When the process ran, CLOCK_MONOTONIC, and what the launcher's patterns stamped.
struct ProcessTimes {
  std::int64_t start_ns = 0, end_ns = 0;
  std::optional<std::int64_t> pattern_begin_ns, pattern_end_ns;
};

// The payload's `phase measure` marks in metrics.jsonl, else the launcher's stamps, else the whole
// process. Several begin/end pairs: the sum of their union (marks are ordered by time and may nest,
// as when every process of a payload writes its own). A begin without an end lasts to the process's
// end. `invalid` when a mark lies outside the process, an end precedes every begin, or a mark has
// no integer mono_ns; the window is then pattern or process. Without `process` (no launcher) marks
// are not bounded, and the process counts `fallback_seconds`.
struct WindowRequest {
  const AttemptFiles* files = nullptr;  // may be null: no marks
  std::optional<ProcessTimes> process;
  double fallback_seconds = 0;
};
struct WindowReading {
  MeasureWindow window;
  std::vector<std::string> notes;
  std::string invalid;  // "" = fine
};
WindowReading read_window(const WindowRequest& request);

// The declared metrics, plus "measure_seconds" (unit s, lower is better) unless one is declared
// under that name. json: "GLOB#/pointer"; the mean over all files that match, each of which must
// hold a finite number there. regex: POSIX extended, with \d and \D besides; on single lines of
// stdout.log, the last match in the log wins; the first group, or the whole match where there is
// none. stage: seconds of a stage of `stages`; "measure" is the window when it is not among them; a
// stage that has not been yet is left out (add_stage_metrics puts it in later).
struct ExtractRequest {
  const Collect* collect = nullptr;
  const AttemptFiles* files = nullptr;
  int stdout_log = -1;  // an open file; -1 = there is none
  const std::map<std::string, double>* stages = nullptr;
  double measure_seconds = 0;
};
struct Extraction {
  std::vector<MetricValue> metrics;  // in the order of the campaign, measure_seconds last
  std::vector<MetricProblem> problems;
};
Extraction extract_metrics(const ExtractRequest& request);
// Adds declared stage metrics whose seconds `stages` knows and `metrics` lacks. Idempotent.
void add_stage_metrics(std::vector<MetricValue>& metrics, const Collect& collect,
                       const std::map<std::string, double>& stages);

// JSON that the controller reads is at most so large.
constexpr std::int64_t largest_json = std::int64_t{64} << 20;

}  // namespace campaign
