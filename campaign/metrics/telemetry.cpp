#include "campaign/metrics/telemetry.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "campaign/metrics/telemetry_fold.hpp"
#include "campaign/metrics/text.hpp"
#include "campaign/statistics/statistics.hpp"

namespace campaign {
namespace {

using nlohmann::json;

std::string text_in(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

template <class T>
T number_in(const json& object, const char* key, T otherwise) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number() ? found->get<T>() : otherwise;
}

const json& list_in(const json& object, const char* key) {
  static const json none = json::array();
  const auto found = object.find(key);
  return found != object.end() && found->is_array() ? *found : none;
}

TelemetryColumn column_of(const json& object) {
  TelemetryColumn column{.name = text_in(object, "name"),
                         .unit = text_in(object, "unit"),
                         .counter = text_in(object, "kind") == "counter",
                         .from_zero = object.value("from_zero", false)};
  column.unavailable = text_in(object, "unavailable");
  column.interval_ms = number_in(object, "interval_ms", 0);
  const auto wraps = object.find("wraps_at");
  if (wraps != object.end() && wraps->is_number()) column.wraps_at = wraps->get<double>();
  return column;
}

std::vector<MeasureWindow::Part> parts_of(const MeasureWindow& window) {
  if (!window.parts.empty()) return window.parts;
  return {{window.begin_ns, window.end_ns}};
}

using Parts = std::vector<MeasureWindow::Part>;

// What lies between these shares of the time of all parts.
Parts slice(const Parts& parts, double from, double until) {
  double whole = 0, passed = 0;
  for (const auto& part : parts) whole += static_cast<double>(part.end_ns - part.begin_ns);
  Parts out;
  for (const auto& part : parts) {
    const double length = static_cast<double>(part.end_ns - part.begin_ns);
    const double begin = std::max(from * whole - passed, 0.0);
    const double end = std::min(until * whole - passed, length);
    passed += length;
    if (end > begin)
      out.push_back({part.begin_ns + static_cast<std::int64_t>(begin),
                     part.begin_ns + static_cast<std::int64_t>(end)});
  }
  return out;
}

// The stretches of time that columns are folded over. Empty ones have no figures.
struct Stretches {
  Parts window, first_fifth, last_fifth, before, after;

  explicit Stretches(const TelemetryRequest& request)
      : window(parts_of(request.window)),
        first_fifth(slice(window, 0, 0.2)),
        last_fifth(slice(window, 0.8, 1)) {
    if (!request.process) return;
    const std::int64_t start = request.process->start_ns, end = request.process->end_ns;
    if (start < window.front().begin_ns) before = {{start, window.front().begin_ns}};
    if (end > window.back().end_ns) after = {{window.back().end_ns, end}};
  }
};

double seconds_of(const Parts& parts) {
  double sum = 0;
  for (const auto& part : parts) sum += static_cast<double>(part.end_ns - part.begin_ns) * 1e-9;
  return sum;
}

// A column over the window, and over the other stretches where its unit asks for them.
class FoldedColumn {
 public:
  FoldedColumn(const TelemetryColumn& column, const Stretches& over, std::int64_t interval_ns)
      : over_(over), window_(column, over.window, interval_ns) {
    const auto fold = [&](std::optional<ColumnFold>& into, const Parts& parts) {
      if (!parts.empty()) into.emplace(column, parts, interval_ns);
    };
    if (column.unit == "MHz") {
      fold(first_, over.first_fifth);
      fold(last_, over.last_fifth);
    }
    if (column.unit == "J" || column.unit == "W") {
      fold(before_, over.before);
      fold(after_, over.after);
    }
  }
  ColumnFold& window() { return window_; }

  void add(TelemetryPoint point) {
    window_.add(point);
    for (std::optional<ColumnFold>* fold : {&first_, &last_, &before_, &after_})
      if (*fold) (*fold)->add(point);
  }

  TelemetryFigure figure() const {
    TelemetryFigure out = window_.figure();
    if (first_) out.first_fifth = watched(*first_);
    if (last_) out.last_fifth = watched(*last_);
    if (before_) out.before_j = joules(*before_, over_.before);
    if (after_) out.after_j = joules(*after_, over_.after);
    return out;
  }

 private:
  static std::optional<double> watched(const ColumnFold& fold) {
    const TelemetryFigure figure = fold.figure();
    return figure.unwatched_s > 0 ? std::nullopt : figure.mean;
  }

  static std::optional<double> joules(const ColumnFold& fold, const Parts& parts) {
    const TelemetryFigure figure = fold.figure();
    if (figure.column.counter) return figure.total;
    if (!figure.mean) return std::nullopt;
    return *figure.mean * seconds_of(parts);
  }

  const Stretches& over_;
  ColumnFold window_;
  std::optional<ColumnFold> first_, last_, before_, after_;
};

class TelemetryFile {
 public:
  explicit TelemetryFile(const TelemetryRequest& request)
      : request_(request),
        over_(request),
        begin_(over_.window.front().begin_ns),
        end_(over_.window.back().end_ns) {}
  TelemetryFile(const TelemetryFile&) = delete;
  TelemetryFile& operator=(const TelemetryFile&) = delete;

  TelemetryReading read() {
    const Fd fd = open_regular(request_.file);
    if (fd)
      each_line(fd.get(), [this](std::string_view line, bool) {
        if (!line.empty()) take(line);
      });
    if (headers_ == 0) {
      record_.status = "unavailable";
      record_.reason = "there is no telemetry of this attempt";
      return {.record = record_, .figures = {}};
    }
    close();
    return result();
  }

 private:
  void take(std::string_view line) {
    const json value = json::parse(line, nullptr, false);
    try {
      if (value.is_array()) return row(value);
      if (!value.is_object()) return;
      if (value.contains("telemetry")) return header(value);
      if (value.contains("end")) trailer(value);
    } catch (const json::exception&) {
      // A line that is not as it should be says nothing.
    }
  }

  // Columns keep their name and place: those of a later header are found by their name.
  void header(const json& object) {
    ++headers_;
    ended_ = false;
    last_tick_.reset();
    record_.interval_ms = number_in(object, "interval_ms", record_.interval_ms);
    record_.sources.clear();
    for (const json& source : list_in(object, "sources"))
      record_.sources.push_back({.name = text_in(source, "name"),
                                 .kind = text_in(source, "kind"),
                                 .unavailable = text_in(source, "unavailable"),
                                 .device = text_in(source, "device"),
                                 .parent = text_in(source, "parent")});
    places_.clear();
    for (const json& item : list_in(object, "columns")) places_.push_back(place(column_of(item)));
  }

  std::size_t place(TelemetryColumn column) {
    const auto same = [&](const auto& known) { return known.name == column.name; };
    const auto found = std::find_if(columns_.begin(), columns_.end(), same);
    if (found != columns_.end()) return static_cast<std::size_t>(found - columns_.begin());
    const std::int64_t interval_ms = std::max(record_.interval_ms, column.interval_ms);
    folds_.emplace_back(column, over_, interval_ms * 1'000'000);
    columns_.push_back(std::move(column));
    return columns_.size() - 1;
  }

  void row(const json& values) {
    const auto at = values.at(0).get<std::int64_t>();
    if (last_row_ && at < *last_row_) return;
    gap_until(at);
    last_row_ = at;
    const bool within = at >= begin_ && at <= end_;
    record_.samples += within;
    if (values.at(1).is_number()) tick(at, values.at(1).get<std::int64_t>(), within);
    for (std::size_t i = 0; i < places_.size() && i + 2 < values.size(); ++i)
      if (values[i + 2].is_number()) sample(places_[i], {at, values[i + 2].get<double>()});
  }

  void sample(std::size_t column, TelemetryPoint point) {
    FoldedColumn& fold = folds_[column];
    if (!fold.window().last() && columns_[column].from_zero && request_.process &&
        request_.process->start_ns < point.at_ns)
      fold.window().add_known({request_.process->start_ns, 0});
    fold.add(point);
  }

  void tick(std::int64_t at, std::int64_t late, bool within) {
    const std::int64_t due = at - late;
    if (within) late_.push_back(static_cast<double>(late) * 1e-6);
    if (within && last_tick_ && *last_tick_ >= begin_ && record_.interval_ms > 0) {
      const double ticks = static_cast<double>(due - *last_tick_) * 1e-6 / record_.interval_ms;
      record_.missed_ticks += static_cast<std::size_t>(std::max(0.0, std::round(ticks) - 1));
    }
    last_tick_ = due;
  }

  void gap_until(std::int64_t at) {
    const std::int64_t from = std::max(begin_, last_row_.value_or(begin_));
    const double gap = static_cast<double>(std::min(at, end_) - from) * 1e-9;
    record_.longest_gap_s = std::max(record_.longest_gap_s, gap);
  }

  void trailer(const json& object) {
    ended_ = true;
    lost_rows_ += number_in(object, "lost_rows", std::size_t{0});
    const auto failures = object.find("failures");
    if (failures == object.end() || !failures->is_object()) return;
    for (TelemetrySource& source : record_.sources)
      if (const std::string why = text_in(*failures, source.name.c_str()); !why.empty())
        source.unavailable = why;
  }

  // The launcher saw the whole of the process's CPU time, also what came after the last sample.
  void close() {
    gap_until(end_);
    const auto& process = request_.process;
    for (std::size_t i = 0; process && i < columns_.size(); ++i) {
      if (columns_[i].name != "payload.cpu_seconds" || !columns_[i].from_zero) continue;
      ColumnFold& fold = folds_[i].window();
      if (!fold.last()) fold.add_known({process->start_ns, 0});
      const double last = fold.last()->value;
      fold.add_known({process->end_ns, std::max(last, process->cpu_seconds)});
    }
  }

  std::string what_is_missing() const {
    if (request_.resumed || headers_ > 1) return "nobody watched for a while: it was taken up";
    if (!ended_) return "the sampling was cut off";
    if (lost_rows_ > 0) return std::to_string(lost_rows_) + " samples were not fetched in time";
    if (record_.longest_gap_s <= longest_watched_s(record_.interval_ms * 1e-3)) return "";
    return shortest(std::round(record_.longest_gap_s * 10) / 10) +
           " s of the window have no samples";
  }

  TelemetryReading result() {
    record_.reason = what_is_missing();
    record_.status = record_.reason.empty() ? "complete" : "partial";
    record_.jitter_p99_ms = percentile(std::move(late_), 99);
    TelemetryReading out{.record = record_, .figures = {}};
    for (const FoldedColumn& fold : folds_) out.figures.push_back(fold.figure());
    return out;
  }

  const TelemetryRequest& request_;
  const Stretches over_;
  const std::int64_t begin_, end_;
  TelemetryRecord record_;
  int headers_ = 0;
  bool ended_ = false;
  std::size_t lost_rows_ = 0;
  std::vector<std::size_t> places_;  // of the columns of the last header, in columns_
  std::vector<TelemetryColumn> columns_;
  std::vector<FoldedColumn> folds_;
  std::optional<std::int64_t> last_row_, last_tick_;
  std::vector<double> late_;
};

// What a column is called as a metric; "" = not at all.
struct Names {
  const char* column;
  const char* total;
  const char* mean;
  const char* peak;
  const char* unit;  // of mean and peak
  double scale = 1;  // of mean and peak
};
constexpr Names names[] = {
    {"cpu_seconds", "cpu_seconds", "cpu_util_mean_pct", "cpu_util_peak_pct", "%", 100},
    {"cpu_throttled_seconds", "cpu_throttled_seconds", "", "", ""},
    {"memory_bytes", "", "memory_mean_bytes", "memory_peak_bytes", "B"},
    {"io_read_bytes", "io_read_bytes", "", "", ""},
    {"io_write_bytes", "io_write_bytes", "", "", ""},
    {"net_rx_bytes", "net_rx_bytes", "", "", ""},
    {"net_tx_bytes", "net_tx_bytes", "", "", ""},
};

void add(std::vector<MetricValue>& metrics, MetricValue value) {
  value.sampled = true;
  metrics.push_back(std::move(value));
}

void add_named(std::vector<MetricValue>& metrics, const TelemetryFigure& figure,
               const std::string& prefix, const Names& as) {
  if (figure.total && *as.total)
    add(metrics, {prefix + as.total, *figure.total, figure.column.unit});
  if (figure.mean && *as.mean) add(metrics, {prefix + as.mean, *figure.mean * as.scale, as.unit});
  if (figure.peak && *as.peak) add(metrics, {prefix + as.peak, *figure.peak * as.scale, as.unit});
}

// What the devices of a run come to together.
struct GpuName {
  const char* column;
  const char* metric;
  const char* unit;
  std::optional<double> TelemetryFigure::* figure;
  enum class Together { sum, mean, largest } together;
  bool by_instance = false;  // a MIG instance has its own, not that of its GPU
};
constexpr GpuName gpu_names[] = {
    {"power_w", "gpu_power_mean_w", "W", &TelemetryFigure::mean, GpuName::Together::sum},
    {"utilisation_pct", "gpu_util_mean_pct", "%", &TelemetryFigure::mean, GpuName::Together::mean},
    {"memory_bytes", "gpu_memory_peak_bytes", "B", &TelemetryFigure::peak,
     GpuName::Together::largest, true},
    {"temperature_c", "gpu_temp_peak_c", "C", &TelemetryFigure::peak, GpuName::Together::largest},
    {"sm_clock_mhz", "gpu_clock_mean_mhz", "MHz", &TelemetryFigure::mean, GpuName::Together::mean},
};

// The sources with what is told of the run's GPUs so; a GPU that several instances are part of
// stands once, where these have nothing of their own.
std::vector<std::string> gpus_of(const TelemetryReading& reading, const GpuName& as) {
  std::vector<std::string> found, seen;
  for (const TelemetrySource& source : reading.record.sources) {
    const bool whole = !as.by_instance && !source.parent.empty();
    const std::string& gpu = whole ? source.parent : source.device;
    if (gpu.empty() || std::find(seen.begin(), seen.end(), gpu) != seen.end()) continue;
    seen.push_back(gpu);
    found.push_back(source.name);
  }
  return found;
}

// Only where all of them have a value.
void add_gpu_metrics(std::vector<MetricValue>& metrics, const TelemetryReading& reading) {
  for (const GpuName& as : gpu_names) {
    const std::vector<std::string> gpus = gpus_of(reading, as);
    std::vector<double> values;
    for (const TelemetryFigure& figure : reading.figures)
      for (const std::string& gpu : gpus)
        if (figure.column.name == gpu + "." + as.column && (figure.*as.figure))
          values.push_back(*(figure.*as.figure));
    if (values.empty() || values.size() < gpus.size()) continue;
    const double sum = std::accumulate(values.begin(), values.end(), 0.0);
    const double together =
        as.together == GpuName::Together::largest ? *std::max_element(values.begin(), values.end())
        : as.together == GpuName::Together::sum   ? sum
                                                  : sum / static_cast<double>(values.size());
    add(metrics, {as.metric, together, as.unit});
  }
}

}  // namespace

TelemetryReading read_telemetry(const TelemetryRequest& request) {
  return TelemetryFile(request).read();
}

std::vector<MetricValue> telemetry_metrics(const TelemetryReading& reading) {
  std::vector<MetricValue> metrics;
  std::optional<double> hottest;
  for (const TelemetryFigure& figure : reading.figures) {
    const std::string& name = figure.column.name;
    const auto dot = name.find('.');
    const std::string source = name.substr(0, dot), rest = name.substr(dot + 1);
    if (source == "hwmon" && figure.peak)
      hottest = std::max(hottest.value_or(*figure.peak), *figure.peak);
    if (source != "payload" && source != "server") continue;
    for (const Names& as : names)
      if (rest == as.column) add_named(metrics, figure, source == "server" ? "server_" : "", as);
  }
  if (hottest) add(metrics, {"cpu_temp_peak_c", *hottest, "C"});
  add_gpu_metrics(metrics, reading);
  return metrics;
}

void add_sampled_metrics(std::vector<MetricValue>& metrics, std::vector<MetricValue> sampled) {
  for (MetricValue& value : sampled) {
    const auto same = [&](const MetricValue& known) { return known.name == value.name; };
    if (std::none_of(metrics.begin(), metrics.end(), same)) metrics.push_back(std::move(value));
  }
}

}  // namespace campaign
