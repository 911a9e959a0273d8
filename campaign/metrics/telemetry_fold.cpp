#include "campaign/metrics/telemetry_fold.hpp"

#include <algorithm>

namespace campaign {
namespace {

// A counter that stands lower than before has wrapped, or has begun anew. Nothing that is counted
// in joules grows faster than this, so that what would be faster was no wrap.
constexpr double fastest_per_second = 10'000;

double seconds(double nanoseconds) { return nanoseconds * 1e-9; }

}  // namespace

double longest_watched_s(double interval_s) { return std::max(1.0, 10 * interval_s); }

ColumnFold::ColumnFold(TelemetryColumn column, const std::vector<MeasureWindow::Part>& parts,
                       std::int64_t interval_ns)
    : column_(std::move(column)), parts_(parts), interval_ns_(interval_ns) {
  for (const auto& part : parts_) window_ns_ += static_cast<double>(part.end_ns - part.begin_ns);
}

double ColumnFold::growth(TelemetryPoint from, TelemetryPoint to) {
  if (to.value >= from.value) return to.value - from.value;
  const double time = seconds(static_cast<double>(to.at_ns - from.at_ns));
  const double wrapped = to.value + column_.wraps_at.value_or(0) - from.value;
  if (column_.wraps_at && wrapped >= 0 && wrapped <= fastest_per_second * std::max(time, 1e-3))
    return wrapped;
  if (overlap(from.at_ns, to.at_ns) > 0) broken_ = column_.name + " began anew within the window";
  return 0;
}

// Nanoseconds of the window in this span.
double ColumnFold::overlap(std::int64_t begin, std::int64_t end) {
  while (part_ < parts_.size() && parts_[part_].end_ns <= begin) ++part_;
  double sum = 0;
  for (std::size_t i = part_; i < parts_.size() && parts_[i].begin_ns < end; ++i)
    sum +=
        static_cast<double>(std::min(end, parts_[i].end_ns) - std::max(begin, parts_[i].begin_ns));
  return sum;
}

bool ColumnFold::inside(std::int64_t begin, std::int64_t end) const {
  return part_ < parts_.size() && parts_[part_].begin_ns <= begin && end <= parts_[part_].end_ns;
}

void ColumnFold::raise(double value) { peak_ = std::max(peak_.value_or(value), value); }

void ColumnFold::level_span(TelemetryPoint from, TelemetryPoint to) {
  const double length = static_cast<double>(to.at_ns - from.at_ns);
  const auto at = [&](std::int64_t time) {
    return from.value + (to.value - from.value) * static_cast<double>(time - from.at_ns) / length;
  };
  for (std::size_t i = part_; i < parts_.size() && parts_[i].begin_ns < to.at_ns; ++i) {
    const auto begin = std::max(from.at_ns, parts_[i].begin_ns);
    const auto end = std::min(to.at_ns, parts_[i].end_ns);
    sum_ += (at(begin) + at(end)) / 2 * static_cast<double>(end - begin);
    raise(at(begin));
    raise(at(end));
  }
}

void ColumnFold::span(TelemetryPoint from, TelemetryPoint to) {
  const double length = static_cast<double>(to.at_ns - from.at_ns);
  const double covered = length > 0 ? overlap(from.at_ns, to.at_ns) : 0;
  const double grown = column_.counter ? growth(from, to) : 0;
  anchored_ += grown;
  if (covered <= 0) return;
  covered_ns_ += covered;
  stepped_ += grown;
  steps_ += grown > 0;
  const double before = sum_;
  if (column_.counter)
    sum_ += grown * covered / length;
  else
    level_span(from, to);
  if (seconds(length) <= longest_watched_s(seconds(static_cast<double>(interval_ns_)))) return;
  unwatched_ns_ += covered;
  unwatched_sum_ += sum_ - before;
}

// The rate between two samples that are half an interval or more apart, both within the window.
void ColumnFold::rate_peak(TelemetryPoint point) {
  if (anchor_ && inside(anchor_->at_ns, point.at_ns)) {
    const auto time = point.at_ns - anchor_->at_ns;
    if (time < interval_ns_ / 2) return;
    raise(anchored_ / seconds(static_cast<double>(time)));
  }
  anchor_ = point;
  anchored_ = 0;
}

void ColumnFold::add(TelemetryPoint point) {
  if (last_ && point.at_ns < last_->at_ns) return;
  if (last_) span(*last_, point);
  if (column_.counter) rate_peak(point);
  last_ = point;
  ++known_;
  ever_ = std::max(ever_.value_or(point.value), point.value);
}

void ColumnFold::add_known(TelemetryPoint point) {
  if (last_ && point.at_ns < last_->at_ns) return;
  if (last_) span(*last_, point);
  anchor_.reset();
  last_ = point;
}

TelemetryFigure ColumnFold::figure() const {
  TelemetryFigure out{
      .column = column_, .seen = peak_, .broken = broken_, .known = known_, .ever = ever_};
  const double missing = window_ns_ - covered_ns_;
  const bool enough = covered_ns_ > 0 && missing <= 2 * static_cast<double>(interval_ns_) &&
                      covered_ns_ >= window_ns_ / 2;
  if (!enough || !broken_.empty()) return out;
  out.peak = peak_;
  if (!column_.counter) {
    out.mean = sum_ / covered_ns_;
    out.unwatched_s = seconds(unwatched_ns_);
    const double watched = covered_ns_ - unwatched_ns_;
    out.watched_mean = watched > 0 ? (sum_ - unwatched_sum_) / watched : 0;
    return out;
  }
  if (steps_ > 0) out.step = stepped_ / steps_;
  out.total = sum_ * window_ns_ / covered_ns_;
  out.mean = sum_ / seconds(covered_ns_);
  return out;
}

}  // namespace campaign
