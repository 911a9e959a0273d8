// telemetry.jsonl: what the sampler read while an attempt ran, and what follows from it over the
// measure window. Pure: figures can be made anew from the file and the window at any time. The
// format and what each figure means: docs/telemetry.md.
#pragma once

#include <filesystem>
#include <map>
#include <span>

#include "campaign/metrics/metrics.hpp"

namespace campaign {

// The kind of a source that is read through an engine, whose container is not seen on this machine.
inline constexpr char engine_stats_kind[] = "engine stats API";

struct TelemetrySource {
  std::string name;         // payload, server, rapl, hwmon; gpu0, gpu1, ... of the run's devices
  std::string kind;         // how it is read: "cgroup v1", engine_stats_kind, "powercap"
  std::string unavailable;  // why there are no readings, or none any more; "" = there are
  std::string device;       // uuid of a GPU or MIG instance, and
  std::string parent;       // of the GPU that an instance is part of, whose sensors it has
  bool operator==(const TelemetrySource&) const = default;
  bool seen_here() const { return unavailable.empty() && kind != engine_stats_kind; }
};

struct TelemetryColumn {
  std::string name, unit;  // "payload.cpu_seconds", "s"
  bool counter = false;    // only grows; else a level
  bool from_zero = false;  // a counter that began with the attempt's process
  // A counter that begins again at 0 beyond this value, in `unit`.
  std::optional<double> wraps_at = {};
  std::string unavailable = {};  // why it has no values though its source has some; "" = it has
  int interval_ms = 0;           // between its values, where that is more than between the rows
};

// The first line; another one follows where another controller took the attempt up.
struct TelemetryHeader {
  std::string run, boot;  // "<run>.a<n>"
  int interval_ms = 0;
  double utc = 0;            // when sampling began, and
  std::int64_t mono_ns = 0;  // the same moment by CLOCK_MONOTONIC
  std::vector<TelemetrySource> sources;
  std::vector<TelemetryColumn> columns;
};
// One reading of all columns. What is unknown is NaN, null in the file.
struct TelemetryRow {
  std::int64_t mono_ns = 0;             // CLOCK_MONOTONIC
  std::optional<std::int64_t> late_ns;  // after its tick; none: read between ticks
  std::span<const double> values;
};
// The last line. Without it the sampling was cut off.
struct TelemetryEnd {
  std::size_t lost_rows = 0;                    // nobody fetched them in time
  std::map<std::string, std::string> failures;  // source -> why it could not be read to the end
};
void append_telemetry(std::string& out, const TelemetryHeader& header);
void append_telemetry(std::string& out, const TelemetryRow& row);
void append_telemetry(std::string& out, const TelemetryEnd& end);

// Of run.json.
struct TelemetryRecord {
  std::string status;  // complete; partial: samples of the window are missing; unavailable
  std::string reason;  // why it is not complete
  int interval_ms = 0;
  std::size_t samples = 0, missed_ticks = 0;  // within the window
  std::optional<double> jitter_p99_ms;        // of how late samples were after their ticks
  double longest_gap_s = 0;                   // between two samples, within the window
  std::vector<TelemetrySource> sources;
  bool complete() const { return status == "complete"; }
};

// What a column comes to over the window.
struct TelemetryFigure {
  TelemetryColumn column;
  std::optional<double> total;       // of a counter
  std::optional<double> mean, peak;  // of a level: by time (trapezoid), and its largest sample;
                                     // of a counter: per second
  // Of a level: how long nobody watched it within the window, and its mean over the rest.
  double unwatched_s = 0, watched_mean = 0;
  std::optional<double> seen;  // the peak as far as the window was seen, if it was not wholly
  std::string broken;          // a counter that began anew in the window: why no total
  // How much a counter grew by where it did, on average: below that it cannot tell.
  std::optional<double> step;
  // Of a level in MHz: its mean over the first and the last fifth of the window, if watched.
  std::optional<double> first_fifth, last_fifth;
  // In J and W: joules of the process before the window and after it.
  std::optional<double> before_j, after_j;
  std::size_t known = 0;       // samples with a value, in and out of the window, and
  std::optional<double> ever;  // the largest of them
};

struct TelemetryRequest {
  std::filesystem::path file;
  MeasureWindow window;
  // By the launcher: when the process ran (CLOCK_MONOTONIC), and the CPU time that it took.
  struct Process {
    std::int64_t start_ns = 0, end_ns = 0;
    double cpu_seconds = 0;
  };
  std::optional<Process> process;
  bool resumed = false;  // for a while nobody watched
};
struct TelemetryReading {
  TelemetryRecord record;
  std::vector<TelemetryFigure> figures;  // in the order of the columns
};
// Content never makes it throw: a file that is not there or says nothing is `unavailable`.
TelemetryReading read_telemetry(const TelemetryRequest& request);
// The figures as metrics: cpu_seconds, cpu_util_mean_pct, gpu_power_mean_w, ...
// (docs/telemetry.md).
std::vector<MetricValue> telemetry_metrics(const TelemetryReading& reading);
// Adds those whose name is not taken yet.
void add_sampled_metrics(std::vector<MetricValue>& metrics, std::vector<MetricValue> sampled);

}  // namespace campaign
