#include "campaign/metrics/energy.hpp"

#include <algorithm>
#include <cmath>

#include "campaign/metrics/text.hpp"

namespace campaign {
namespace {

constexpr std::string_view rapl = "rapl", nvml = "nvml";
constexpr char without_step[] = "its energy counter made no step within the window";
constexpr double power_accuracy = 0.05;  // of a power reading, by NVIDIA's reference of NVML
constexpr double wanted_accuracy = 0.01;
constexpr char by_its_counter[] = "counter";  // the method

// One counter, and what it comes to.
struct Domain {
  std::string name;
  double joules = 0;
  std::optional<double> before, after;
};

// What there is of all domains; a source that cannot count at all is missing, one that failed in
// this run is the reason why there is no energy.
struct Counted {
  std::vector<Domain> domains;
  std::vector<GpuEnergy> gpus;
  std::map<std::string, std::string> missing;
  std::vector<std::string> notes;
  std::string reason;
};

bool is_rapl(const TelemetryFigure& figure) {
  return figure.column.name.starts_with(std::string(rapl) + ".");
}

const TelemetryFigure* figure_named(const TelemetryReading& reading, const std::string& name) {
  const auto same = [&](const TelemetryFigure& figure) { return figure.column.name == name; };
  const auto found = std::find_if(reading.figures.begin(), reading.figures.end(), same);
  return found == reading.figures.end() ? nullptr : &*found;
}

void count_rapl(const TelemetryReading& reading, Counted& into) {
  const auto& sources = reading.record.sources;
  const auto found = std::find_if(sources.begin(), sources.end(),
                                  [](const auto& each) { return each.name == rapl; });
  const bool opened = std::any_of(reading.figures.begin(), reading.figures.end(), is_rapl);
  if (found == sources.end() || (!found->unavailable.empty() && !opened)) {
    into.missing[std::string(rapl)] =
        found == sources.end() ? "telemetry.sources does not name rapl" : found->unavailable;
    return;
  }
  if (!found->unavailable.empty()) into.reason = found->unavailable;
  for (const TelemetryFigure& figure : reading.figures) {
    if (!is_rapl(figure)) continue;
    if (!figure.broken.empty()) into.reason = figure.broken;
    if (!figure.total && into.reason.empty())
      into.reason = figure.column.name + " was not read over the whole window";
    into.domains.push_back({.name = figure.column.name.substr(rapl.size() + 1),
                            .joules = figure.total.value_or(0),
                            .before = figure.before_j,
                            .after = figure.after_j});
  }
}

std::string rounded(double value) { return shortest(std::round(value * 10) / 10); }

// One GPU by its counter and by its power.
class GpuCount {
 public:
  GpuCount(const TelemetryReading& reading, const TelemetrySource& source, double seconds)
      : source_(source),
        name_(source.parent.empty() ? source.device : source.parent),
        seconds_(seconds),
        counter_(figure_named(reading, source.name + ".energy_j")),
        power_(figure_named(reading, source.name + ".power_w")) {}

  void count(Counted& into) const {
    GpuEnergy energy{.device = name_, .method = {}, .counter_j = {}, .power_j = {}};
    if (counter_ && counter_->total) energy.counter_j = counter_->total;
    if (power_ && power_->mean) energy.power_j = *power_->mean * seconds_;
    const bool by_counter = energy.counter_j && counter_->step;
    if (!by_counter && !energy.power_j) {
      into.reason = name_ + ": " + why_none();
      return;
    }
    const TelemetryFigure& figure = by_counter ? *counter_ : *power_;
    const double joules = by_counter ? *energy.counter_j : *energy.power_j;
    energy.method = by_counter ? by_its_counter : "power";
    energy.uncertainty_j = by_counter ? 2 * *counter_->step : power_accuracy * joules;
    note(energy, joules, into.notes);
    into.domains.push_back(
        {.name = name_, .joules = joules, .before = figure.before_j, .after = figure.after_j});
    into.gpus.push_back(std::move(energy));
  }

 private:
  std::string why_none() const {
    if (!source_.unavailable.empty()) return source_.unavailable;
    if (counter_ && !counter_->broken.empty()) return counter_->broken;
    if (counter_ && counter_->total) return without_step;
    if (power_ && !power_->column.unavailable.empty()) return power_->column.unavailable;
    return "neither its energy counter nor its power was read over the whole window";
  }

  void note(const GpuEnergy& energy, double joules, std::vector<std::string>& notes) const {
    if (!source_.parent.empty())
      notes.push_back("the energy of " + source_.device + " is that of the whole GPU " + name_);
    if (energy.method == "power") {
      const std::string why = counter_ && !counter_->broken.empty() ? ": " + counter_->broken
                              : energy.counter_j ? std::string(": ") + without_step
                                                 : " has no energy counter";
      notes.push_back(name_ + why + "; its energy is integrated from its power");
      return;
    }
    if (joules > 0 && energy.uncertainty_j > wanted_accuracy * joules)
      notes.push_back("the energy counter of " + name_ + " was seen to step by " +
                      rounded(energy.uncertainty_j / 2) + " J: " + rounded(joules) +
                      " J are known to " + rounded(100 * energy.uncertainty_j / joules) +
                      " %; for 1 % the window has to last " +
                      rounded(seconds_ * energy.uncertainty_j / (wanted_accuracy * joules)) + " s");
    if (!energy.power_j) return;
    const double apart = std::abs(*energy.power_j - joules);
    if (apart > std::max(energy.uncertainty_j, power_accuracy * joules))
      notes.push_back("the energy of " + name_ + " is " + rounded(joules) +
                      " J by its counter and " + rounded(*energy.power_j) + " J by its power");
  }

  const TelemetrySource& source_;
  const std::string name_;
  const double seconds_;
  const TelemetryFigure* counter_;
  const TelemetryFigure* power_;
};

void count_gpus(const TelemetryReading& reading, double seconds, Counted& into) {
  for (const TelemetrySource& source : reading.record.sources) {
    const std::string& gpu = source.parent.empty() ? source.device : source.parent;
    const auto same = [&](const GpuEnergy& known) { return known.device == gpu; };
    if (gpu.empty() || std::any_of(into.gpus.begin(), into.gpus.end(), same)) continue;
    GpuCount(reading, source, seconds).count(into);
  }
}

std::string what_was_not_watched(const TelemetryReading& reading) {
  for (const TelemetrySource& each : reading.record.sources)
    if (each.name == "payload" && !each.seen_here())
      return "the payload is not seen on this machine: " +
             (each.unavailable.empty() ? "its engine counts for it" : each.unavailable);
  if (!reading.record.complete())
    return "telemetry is " + reading.record.status + ": " + reading.record.reason;
  return "";
}

Counted counted(const EnergyRequest& request) {
  const TelemetryReading& reading = *request.reading;
  Counted all;
  if (request.settings->reads(std::string(rapl))) count_rapl(reading, all);
  if (request.settings->reads(std::string(nvml))) {
    count_gpus(reading, request.window.seconds, all);
    if (request.gpus > 0 && all.gpus.empty() && all.reason.empty())
      all.missing[std::string(nvml)] = "telemetry.sources does not name nvml";
  }
  if (all.domains.empty() && all.reason.empty())
    all.reason = all.missing.empty() ? "the run has no GPU, and energy.sources names nothing else"
                                     : all.missing.begin()->second;
  else if (const std::string why = what_was_not_watched(reading); !why.empty())
    all.reason = why;
  return all;
}

bool is_memory(const std::string& domain) { return domain.ends_with(".dram"); }

void take_off_baseline(const EnergyRequest& request, EnergyRecord& record) {
  if (!request.baseline) return;
  double watts = 0;
  for (const auto& [domain, joules] : record.domains_j) {
    const auto known = request.baseline->watts.find(domain);
    if (known == request.baseline->watts.end()) return;
    watts += known->second;
  }
  record.baseline_power_w = watts;
  record.baseline_method = request.baseline->method;
  record.baseline_utc = request.baseline->utc;
  record.baseline_cache_age_s = request.baseline->age_s;
  record.adjusted_j = std::max(0.0, *record.raw_j - watts * request.window.seconds);
}

void add_stages(const std::vector<Domain>& domains, EnergyRecord& record) {
  const auto sum = [&](const char* stage, std::optional<double> Domain::* of) {
    double joules = 0;
    for (const Domain& domain : domains) {
      if (!(domain.*of)) return;
      joules += *(domain.*of);
    }
    record.stages_j[stage] = joules;
  };
  record.stages_j["measure"] = *record.raw_j;
  sum("before", &Domain::before);
  sum("after", &Domain::after);
}

}  // namespace

EnergyRecord energy_of(const EnergyRequest& request) {
  EnergyRecord record{.baseline_method = "unavailable"};
  Counted all = counted(request);
  record.reason = std::move(all.reason);
  record.missing = std::move(all.missing);
  if (record.reason.empty() && request.window.source == MeasureWindow::Source::process &&
      !request.settings->allow_process_window)
    record.reason =
        "the window is the whole process, start and end of it included; "
        "energy.allow_process_window: true takes it";
  if (!record.reason.empty()) return record;
  record.raw_j = 0;
  for (const Domain& domain : all.domains) {
    record.domains_j[domain.name] = domain.joules;
    *record.raw_j += domain.joules;
  }
  for (const GpuEnergy& gpu : all.gpus)
    record.uncertainty_j = record.uncertainty_j.value_or(0) + gpu.uncertainty_j;
  record.gpus = std::move(all.gpus);
  record.notes = std::move(all.notes);
  add_stages(all.domains, record);
  take_off_baseline(request, record);
  return record;
}

std::map<std::string, double> mean_watts(const Energy& settings, const TelemetryReading& reading) {
  std::map<std::string, double> watts;
  if (!what_was_not_watched(reading).empty()) return watts;
  for (const TelemetryFigure& figure : reading.figures)
    if (settings.reads(std::string(rapl)) && is_rapl(figure) && figure.mean)
      watts[figure.column.name.substr(rapl.size() + 1)] = *figure.mean;
  for (const TelemetrySource& source : reading.record.sources) {
    if (source.device.empty() || !settings.reads(std::string(nvml))) continue;
    for (const char* column : {".power_w", ".energy_j"})  // the counter, where there is one
      if (const auto* figure = figure_named(reading, source.name + column);
          figure && figure->mean && (!figure->column.counter || figure->step))
        watts[source.parent.empty() ? source.device : source.parent] = *figure->mean;
  }
  return watts;
}

std::optional<double> open_part(const EnergyRecord& record) {
  std::optional<double> largest;
  for (const GpuEnergy& gpu : record.gpus) {
    const double joules = gpu.counter_j.value_or(0);
    if (gpu.method != by_its_counter || joules <= 0) continue;
    const double part = gpu.uncertainty_j / joules;
    if (part > wanted_accuracy) largest = std::max(part, largest.value_or(0));
  }
  return largest;
}

std::vector<MetricValue> energy_metrics(const EnergyRecord& record) {
  std::vector<MetricValue> metrics;
  const auto add = [&](const char* name, double value) {
    metrics.push_back(
        {.name = name, .value = value, .unit = "J", .better = Direction::lower, .sampled = true});
  };
  if (record.raw_j) add("energy_raw_j", *record.raw_j);
  if (record.adjusted_j) add("energy_adjusted_j", *record.adjusted_j);
  std::map<std::string, double> sums;
  for (const auto& [domain, joules] : record.domains_j) {
    const auto same = [&](const GpuEnergy& gpu) { return gpu.device == domain; };
    const bool gpu = std::any_of(record.gpus.begin(), record.gpus.end(), same);
    sums[gpu ? "gpu_energy_j" : is_memory(domain) ? "ram_energy_j" : "cpu_energy_j"] += joules;
  }
  for (const char* name : {"cpu_energy_j", "ram_energy_j", "gpu_energy_j"})
    if (const auto sum = sums.find(name); sum != sums.end()) add(name, sum->second);
  return metrics;
}

}  // namespace campaign
