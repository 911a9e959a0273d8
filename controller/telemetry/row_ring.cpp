#include "controller/telemetry/row_ring.hpp"

#include <algorithm>
#include <limits>

namespace controller::telemetry {

RowRing::RowRing(std::size_t rows, std::size_t columns)
    : rows_(rows),
      slots_(rows + 1),
      columns_(columns),
      stamps_(slots_),
      values_(slots_ * columns) {}

std::span<double> RowRing::next() {
  const auto row = values(put_.load(std::memory_order_relaxed));
  std::ranges::fill(row, std::numeric_limits<double>::quiet_NaN());
  return row;
}

void RowRing::put(std::int64_t mono_ns, std::optional<std::int64_t> late_ns) {
  const std::size_t row = put_.load(std::memory_order_relaxed);
  if (row - taken_.load(std::memory_order_acquire) >= rows_) {
    lost_.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  stamps_[row % slots_] = {
      .mono_ns = mono_ns, .late_ns = late_ns.value_or(0), .ticked = late_ns.has_value()};
  put_.store(row + 1, std::memory_order_release);
}

std::size_t RowRing::size() const {
  return put_.load(std::memory_order_acquire) - taken_.load(std::memory_order_relaxed);
}

void RowRing::take(std::string& out) {
  const std::size_t end = put_.load(std::memory_order_acquire);
  for (std::size_t row = taken_.load(std::memory_order_relaxed); row != end; ++row) {
    const Stamp& stamp = stamps_[row % slots_];
    campaign::TelemetryRow line{
        .mono_ns = stamp.mono_ns, .late_ns = std::nullopt, .values = values(row)};
    if (stamp.ticked) line.late_ns = stamp.late_ns;
    append_telemetry(out, line);
  }
  taken_.store(end, std::memory_order_release);
}

}  // namespace controller::telemetry
