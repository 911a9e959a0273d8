// Rows of readings on their way from the sampler's thread to the controller's: one thread puts,
// one takes, nobody waits, and nothing is allocated after it was made. A full ring loses the row
// and counts it.
#pragma once

#include <atomic>
#include <optional>
#include <span>

#include "campaign/metrics/telemetry.hpp"

namespace controller::telemetry {

class RowRing {
 public:
  RowRing(std::size_t rows, std::size_t columns);

  // The sampler's thread. Room for the next row, all NaN; put() hands it over.
  std::span<double> next();
  void put(std::int64_t mono_ns, std::optional<std::int64_t> late_ns);

  // The controller's thread.
  std::size_t size() const;
  std::size_t capacity() const { return rows_; }
  std::size_t lost() const { return lost_.load(std::memory_order_relaxed); }
  // Appends all rows as lines of telemetry.jsonl.
  void take(std::string& out);

 private:
  struct Stamp {
    std::int64_t mono_ns = 0, late_ns = 0;
    bool ticked = false;
  };
  std::span<double> values(std::size_t row) {
    return std::span(values_).subspan((row % slots_) * columns_, columns_);
  }

  std::size_t rows_, slots_, columns_;  // one slot is for the row that is being made
  std::vector<Stamp> stamps_;
  std::vector<double> values_;
  std::atomic<std::size_t> put_{0}, taken_{0}, lost_{0};  // rows so far
};

}  // namespace controller::telemetry
