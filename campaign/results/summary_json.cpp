#include <nlohmann/json.hpp>

#include "campaign/metrics/text.hpp"
#include "campaign/results/summary.hpp"

namespace campaign {
namespace {

using nlohmann::ordered_json;

ordered_json json_of(const Value& value) {
  return value.is_null() ? ordered_json() : ordered_json::parse(to_json(value));
}

ordered_json json_of(const std::optional<double>& value) {
  return value ? ordered_json(*value) : ordered_json();
}

ordered_json text_or_null(const std::string& text) {
  return text.empty() ? ordered_json() : ordered_json(valid_utf8(text));
}

ordered_json better_of(Direction better) {
  return better == Direction::unspecified ? ordered_json() : ordered_json(name_of(better));
}

ordered_json json_of(const MetricSummary& row) {
  ordered_json out;
  out["group"] = valid_utf8(row.group);
  out["axes"] = json_of(row.axes);
  out["metric"] = valid_utf8(row.metric);
  out["unit"] = text_or_null(row.unit);
  out["better"] = better_of(row.better);
  out["primary"] = row.primary;
  if (row.sampled) out["sampled"] = true;
  out["n"] = row.n;
  out["invalid"] = row.invalid;
  out["repeated"] = row.repeated;
  out["mean"] = json_of(row.mean);
  out["sd"] = json_of(row.sd);
  out["median"] = json_of(row.median);
  out["min"] = json_of(row.min);
  out["max"] = json_of(row.max);
  out["ci_low"] = json_of(row.ci_low);
  out["ci_high"] = json_of(row.ci_high);
  out["outliers"] = row.outliers;
  out["n_all"] = row.n_all;
  out["mean_all"] = json_of(row.mean_all);
  out["window"] = text_or_null(row.window);
  out["invalid_reasons"] = ordered_json::array();
  for (const auto& reason : row.invalid_reasons)
    out["invalid_reasons"].push_back(valid_utf8(reason));
  return out;
}

}  // namespace

std::string write_summary_json(const Summary& summary) {
  ordered_json out;
  out["schema_version"] = 1;
  out["campaign_id"] = summary.campaign_id;
  out["session"] = summary.session;
  out["runs"] = summary.runs;
  out["completed"] = summary.completed;
  out["failed"] = summary.failed;
  out["skipped"] = summary.skipped;
  out["failed_by_class"] = ordered_json::object();
  for (const auto& [cls, count] : summary.failed_by_class) out["failed_by_class"][cls] = count;
  out["invalid"] = summary.invalid;
  out["invalid_by_reason"] = ordered_json::object();
  for (const auto& [reason, count] : summary.invalid_by_reason)
    out["invalid_by_reason"][valid_utf8(reason)] = count;
  out["energy_open"] = ordered_json::object();
  for (const auto& [experiment, part] : summary.energy_open)
    out["energy_open"][valid_utf8(experiment)] = part;
  out["rows"] = ordered_json::array();
  for (const auto& row : summary.rows) out["rows"].push_back(json_of(row));
  return out.dump(2) + "\n";
}

namespace {

std::optional<double> number_of(const ordered_json& row, const char* key) {
  const auto found = row.find(key);
  if (found == row.end() || !found->is_number()) return std::nullopt;
  return found->get<double>();
}

std::string text_of(const ordered_json& row, const char* key) {
  const auto found = row.find(key);
  return found != row.end() && found->is_string() ? found->get<std::string>() : "";
}

Direction direction_of(const std::string& name) {
  for (const Direction direction : {Direction::higher, Direction::lower})
    if (name == name_of(direction)) return direction;
  return Direction::unspecified;
}

MetricSummary row_of(const ordered_json& row) {
  MetricSummary summary{.group = text_of(row, "group"),
                        .axes = from_json(row.at("axes").dump()),
                        .metric = text_of(row, "metric"),
                        .unit = text_of(row, "unit"),
                        .better = direction_of(text_of(row, "better")),
                        .primary = row.at("primary").get<bool>(),
                        .n = row.at("n").get<std::size_t>(),
                        .invalid = row.at("invalid").get<std::size_t>(),
                        .repeated = row.at("repeated").get<std::size_t>(),
                        .n_all = row.at("n_all").get<std::size_t>(),
                        .mean_all = number_of(row, "mean_all")};
  summary.sampled = row.value("sampled", false);
  summary.mean = number_of(row, "mean");
  summary.sd = number_of(row, "sd");
  summary.median = number_of(row, "median");
  summary.min = number_of(row, "min");
  summary.max = number_of(row, "max");
  summary.ci_low = number_of(row, "ci_low");
  summary.ci_high = number_of(row, "ci_high");
  summary.outliers = row.at("outliers").get<std::size_t>();
  summary.window = text_of(row, "window");
  for (const auto& reason : row.at("invalid_reasons"))
    summary.invalid_reasons.push_back(reason.get<std::string>());
  return summary;
}

}  // namespace

std::optional<Summary> read_summary_json(const std::string& text) {
  try {
    const ordered_json document = ordered_json::parse(text);
    if (document.at("schema_version") != 1) return std::nullopt;
    Summary summary{.campaign_id = text_of(document, "campaign_id"),
                    .session = text_of(document, "session"),
                    .runs = document.at("runs").get<std::size_t>(),
                    .completed = document.at("completed").get<std::size_t>(),
                    .failed = document.at("failed").get<std::size_t>(),
                    .skipped = document.at("skipped").get<std::size_t>()};
    for (const auto& [cls, count] : document.at("failed_by_class").items())
      summary.failed_by_class[cls] = count.get<std::size_t>();
    summary.invalid = document.value("invalid", summary.invalid);
    if (const auto reasons = document.find("invalid_by_reason"); reasons != document.end())
      for (const auto& [reason, count] : reasons->items())
        summary.invalid_by_reason[reason] = count.get<std::size_t>();
    if (const auto parts = document.find("energy_open"); parts != document.end())
      for (const auto& [experiment, part] : parts->items())
        summary.energy_open[experiment] = part.get<double>();
    for (const auto& row : document.at("rows")) summary.rows.push_back(row_of(row));
    return summary;
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

}  // namespace campaign
