#include <algorithm>
#include <numeric>
#include <set>
#include <utility>

#include "campaign/plan/plan.hpp"
#include "campaign/plan/random.hpp"

namespace campaign {
namespace {

using Row = std::vector<std::uint32_t>;

Row listed(std::uint32_t count) {
  Row row(count);
  std::iota(row.begin(), row.end(), 0U);
  return row;
}

Row williams_row(std::uint32_t count, std::uint32_t number) {
  const std::uint32_t shift = number % count;
  Row row(count);
  for (std::uint32_t place = 0; place < count; ++place) {
    const std::uint32_t first = place % 2 == 1 ? (place + 1) / 2 : (count - place / 2) % count;
    row[place] = (first + shift) % count;
  }
  if (number >= count) std::reverse(row.begin(), row.end());
  return row;
}

Row cycle_row(const OrderRequest& request, std::int32_t cycle) {
  if (request.count == 0) return {};
  if (request.structure == Structure::balanced) {
    const std::uint32_t rows = balanced_rows(request.count);
    return williams_row(request.count, static_cast<std::uint32_t>(cycle - 1) % rows);
  }
  Row row = listed(request.count);
  if (request.structure == Structure::shuffled) {
    Pcg32 random(request.seed, static_cast<std::uint64_t>(cycle));
    shuffle(row, random);
  }
  return row;
}

std::vector<PlannedRun> grouped(const OrderRequest& request) {
  std::vector<PlannedRun> runs;
  runs.reserve(std::size_t{request.count} * static_cast<std::size_t>(request.cycles));
  for (std::uint32_t experiment = 0; experiment < request.count; ++experiment)
    for (std::int32_t cycle = 1; cycle <= request.cycles; ++cycle)
      runs.push_back({.experiment = experiment, .cycle = cycle});
  return runs;
}

std::uint64_t key(const PlannedRun& run) {
  return (std::uint64_t{run.experiment} << 32U) | static_cast<std::uint32_t>(run.cycle);
}

class Grower {
 public:
  Grower(const OrderRequest& request, const Growth& growth)
      : request_(request),
        growth_(growth),
        started_(growth.started_cycles.begin(), growth.started_cycles.end()) {}

  std::vector<PlannedRun> grow() {
    const bool by_experiment = request_.structure == Structure::grouped;
    for (const PlannedRun& run : growth_.earlier) {
      const bool planned = run.experiment < request_.count && run.cycle <= request_.cycles;
      if (planned && (by_experiment || started_.contains(run.cycle))) keep(run);
    }
    if (by_experiment) {
      for (const PlannedRun& run : grouped(request_)) append(run);
      return std::move(runs_);
    }
    for (const std::int32_t cycle : started_) append_cycle(cycle);
    for (std::int32_t cycle = 1; cycle <= request_.cycles; ++cycle)
      if (!started_.contains(cycle)) append_cycle(cycle);
    return std::move(runs_);
  }

 private:
  void keep(const PlannedRun& run) {
    if (!present_.insert(key(run)).second) return;
    block_ = std::max(block_, run.block + 1);
    runs_.push_back(run);
  }

  void append(PlannedRun run) {
    if (!present_.insert(key(run)).second) return;
    if (started_.contains(run.cycle)) run.block = block_;
    runs_.push_back(run);
  }

  void append_cycle(std::int32_t cycle) {
    if (cycle > request_.cycles) return;
    for (const std::uint32_t experiment : cycle_row(request_, cycle))
      append({.experiment = experiment, .cycle = cycle});
  }

  const OrderRequest& request_;
  const Growth& growth_;
  std::set<std::int32_t> started_;
  std::set<std::uint64_t> present_;
  std::vector<PlannedRun> runs_;
  std::int32_t block_ = 1;
};

}  // namespace

std::uint32_t balanced_rows(std::uint32_t count) {
  return count % 2 == 0 || count == 1 ? count : 2 * count;
}

std::vector<PlannedRun> order_runs(const OrderRequest& request) {
  if (request.structure == Structure::grouped) return grouped(request);
  std::vector<PlannedRun> runs;
  runs.reserve(std::size_t{request.count} * static_cast<std::size_t>(request.cycles));
  for (std::int32_t cycle = 1; cycle <= request.cycles; ++cycle)
    for (const std::uint32_t experiment : cycle_row(request, cycle))
      runs.push_back({.experiment = experiment, .cycle = cycle});
  return runs;
}

std::vector<PlannedRun> grow_order(const OrderRequest& request, const Growth& growth) {
  return Grower(request, growth).grow();
}

}  // namespace campaign
