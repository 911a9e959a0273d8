// One column of telemetry over the measure window, sample by sample, in constant memory.
#pragma once

#include "campaign/metrics/telemetry.hpp"

namespace campaign {

struct TelemetryPoint {
  std::int64_t at_ns = 0;
  double value = 0;
};

// Between two samples that are further apart nobody watched: a second, and ten intervals.
double longest_watched_s(double interval_s);

class ColumnFold {
 public:
  // `parts` is not empty, in order, and outlives it.
  ColumnFold(TelemetryColumn column, const std::vector<MeasureWindow::Part>& parts,
             std::int64_t interval_ns);
  // Points come in the order of time. A counter grows evenly between two of them, a level changes
  // along a line.
  void add(TelemetryPoint point);
  // A point that was not sampled: counts for the total, never for a peak.
  void add_known(TelemetryPoint point);
  const std::optional<TelemetryPoint>& last() const { return last_; }
  // Where the edges of the window are not between two points: the rest is taken to be like what
  // was seen, for at most two intervals; beyond that there is no total.
  TelemetryFigure figure() const;

 private:
  double growth(TelemetryPoint from, TelemetryPoint to);
  double overlap(std::int64_t begin, std::int64_t end);
  bool inside(std::int64_t begin, std::int64_t end) const;
  void span(TelemetryPoint from, TelemetryPoint to);
  void level_span(TelemetryPoint from, TelemetryPoint to);
  void rate_peak(TelemetryPoint point);
  void raise(double value);

  TelemetryColumn column_;
  const std::vector<MeasureWindow::Part>& parts_;
  std::int64_t interval_ns_;
  double window_ns_ = 0;
  std::size_t part_ = 0;  // the first that does not end before the last point
  std::optional<TelemetryPoint> last_, anchor_;
  double anchored_ = 0;  // growth since the anchor
  double stepped_ = 0;   // growth where the counter changed in the window, and
  int steps_ = 0;        // how often it did
  std::size_t known_ = 0;
  std::optional<double> ever_;
  double covered_ns_ = 0;
  double unwatched_ns_ = 0, unwatched_sum_ = 0;  // of the window, and of sum_
  double sum_ = 0;  // counter: growth in the window; level: integral over nanoseconds
  std::optional<double> peak_;
  std::string broken_;
};

}  // namespace campaign
