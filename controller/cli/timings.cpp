#include "controller/cli/timings.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <tuple>

#include "campaign/statistics/statistics.hpp"

namespace controller::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr double shortest_sure = 0.005;  // seconds; below it the start of a process dominates
constexpr double far_out = 10;           // modified Z, ten standard deviations

void add_warnings(Timing& timing) {
  if (timing.times.empty()) return;
  if (*timing.min < shortest_sure)
    timing.warnings.emplace_back(
        "some runs took less than 5 ms: starting the process is most of what was measured");
  const std::vector<bool> out = campaign::outliers(timing.times, far_out);
  if (out.front() && timing.times.front() > *timing.median)
    timing.warnings.push_back(
        "the first run was much slower (" + fixed(timing.times.front(), 3) +
        " s): caches were cold; repeat with more cycles, or warm them before");
  else if (std::find(out.begin(), out.end(), true) != out.end())
    timing.warnings.emplace_back(
        "there are outliers: something else may have run on this host; repeat on a quiet one");
}

void finish(Timing& timing, const std::vector<double>& user, const std::vector<double>& system) {
  timing.mean = campaign::mean(timing.times);
  timing.sd = campaign::standard_deviation(timing.times);
  timing.median = campaign::median(timing.times);
  timing.user = campaign::mean(user);
  timing.system = campaign::mean(system);
  if (!timing.times.empty()) {
    const auto [low, high] = std::minmax_element(timing.times.begin(), timing.times.end());
    timing.min = *low;
    timing.max = *high;
  }
  add_warnings(timing);
}

std::vector<const campaign::RunRecord*> of_experiment(
    const std::vector<campaign::RunRecord>& records, const std::string& experiment) {
  std::vector<const campaign::RunRecord*> found;
  for (const campaign::RunRecord& record : records)
    if (record.experiment == experiment) found.push_back(&record);
  std::sort(found.begin(), found.end(), [](const auto* a, const auto* b) {
    return std::tie(a->started_utc, a->cycle) < std::tie(b->started_utc, b->cycle);
  });
  return found;
}

struct Unit {
  const char* name;
  double factor;
};

Unit unit_for(double seconds) { return seconds < 1 ? Unit{"ms", 1e3} : Unit{"s", 1}; }

std::string in(const Unit& unit, std::optional<double> seconds) {
  if (!seconds) return "-";
  const double value = *seconds * unit.factor;
  return fixed(value, value < 100 && unit.factor == 1 ? 3 : 1) + " " + unit.name;
}

std::string block(const Timing& timing, const Style& style) {
  std::string out =
      painted(timing.experiment, Paint::bold, style.color) + ": " + timing.command + "\n";
  if (timing.times.empty())
    return out + "  " + painted("no run completed", Paint::red, style.color) + ", " +
           std::to_string(timing.failed) + " failed\n";
  const Unit unit = unit_for(*timing.mean);
  out += "  Time (mean ± sd):   " + painted(in(unit, timing.mean), Paint::green, style.color) +
         " ± " + in(unit, timing.sd);
  if (timing.user)
    out += "    [user " + in(unit, timing.user) + ", system " + in(unit, timing.system) + "]";
  out += "\n  Range (min … max):  " + in(unit, timing.min) + " … " + in(unit, timing.max) + "    " +
         plural(timing.times.size(), "run");
  if (timing.failed > 0)
    out += ", " + painted(std::to_string(timing.failed) + " failed", Paint::red, style.color);
  out += "\n";
  for (const std::string& warning : timing.warnings)
    out += "  " + painted("warning: ", Paint::yellow, style.color) + warning + "\n";
  return out;
}

std::vector<const Timing*> fastest_first(const std::vector<Timing>& timings) {
  std::vector<const Timing*> order;
  for (const Timing& timing : timings)
    if (timing.mean) order.push_back(&timing);
  std::sort(order.begin(), order.end(),
            [](const Timing* a, const Timing* b) { return *a->mean < *b->mean; });
  return order;
}

std::string comparison(const std::vector<Timing>& timings, const Style& style) {
  const std::vector<const Timing*> order = fastest_first(timings);
  if (order.size() < 2 || *order.front()->mean <= 0) return "";
  std::string out = "\n" + painted(order.front()->experiment, Paint::cyan, style.color) + " ran\n";
  for (std::size_t i = 1; i < order.size(); ++i) {
    const Ratio times = ratio(*order.front(), *order[i]);
    out += "  " + painted(fixed(times.value, 2), Paint::bold, style.color);
    if (times.sd) out += " ± " + fixed(*times.sd, 2);
    out += " times faster than " + order[i]->experiment + "\n";
  }
  return out;
}

Json or_null(const std::optional<double>& value) { return value ? Json(*value) : Json(nullptr); }

}  // namespace

std::vector<Timing> make_timings(const campaign::Plan& plan,
                                 const std::vector<campaign::RunRecord>& records) {
  std::vector<Timing> timings;
  for (const campaign::Experiment& experiment : plan.experiments) {
    Timing timing;
    timing.experiment = experiment.name;
    timing.axes = experiment.axes;
    std::vector<double> user, system;
    for (const campaign::RunRecord* record : of_experiment(records, experiment.name)) {
      if (record->exit_code) timing.exit_codes.push_back(*record->exit_code);
      if (record->state != "completed") {
        ++timing.failed;
        continue;
      }
      timing.times.push_back(record->window.seconds);
      if (!record->outcome) continue;
      user.push_back(record->outcome->user_s);
      system.push_back(record->outcome->system_s);
    }
    finish(timing, user, system);
    timings.push_back(std::move(timing));
  }
  return timings;
}

Ratio ratio(const Timing& a, const Timing& b) {
  const double value = *b.mean / *a.mean;
  if (!a.sd || !b.sd || *a.mean <= 0 || *b.mean <= 0) return {.value = value, .sd = {}};
  return {.value = value, .sd = value * std::hypot(*a.sd / *a.mean, *b.sd / *b.mean)};
}

std::string timings_text(const std::vector<Timing>& timings, const Style& style) {
  std::string out;
  for (const Timing& timing : timings) out += (out.empty() ? "" : "\n") + block(timing, style);
  return out + comparison(timings, style);
}

std::string timings_json(const std::vector<Timing>& timings) {
  Json results = Json::array();
  for (const Timing& timing : timings) {
    Json parameters = Json::object();
    if (timing.axes.is_map())
      for (const auto& [key, value] : timing.axes.members()) parameters[key] = value.written();
    results.push_back({{"experiment", timing.experiment},
                       {"command", timing.command},
                       {"mean", or_null(timing.mean)},
                       {"stddev", or_null(timing.sd)},
                       {"median", or_null(timing.median)},
                       {"user", or_null(timing.user)},
                       {"system", or_null(timing.system)},
                       {"min", or_null(timing.min)},
                       {"max", or_null(timing.max)},
                       {"times", timing.times},
                       {"exit_codes", timing.exit_codes},
                       {"failed", timing.failed},
                       {"parameters", parameters},
                       {"warnings", timing.warnings}});
  }
  const Json object = {{"schema_version", 1}, {"unit", "s"}, {"results", results}};
  return object.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace controller::cli
