#include <algorithm>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>

#include "campaign/config/expression.hpp"
#include "campaign/metrics/metrics.hpp"
#include "campaign/metrics/text.hpp"

namespace campaign {
namespace {

using nlohmann::json;
using Kind = MetricProblem::Kind;

const std::vector<std::string>& stage_names() {
  static const std::vector<std::string> names = {"claim",       "gap",     "prepare", "start",
                                                 "ready",       "warmup",  "measure", "collect",
                                                 "postprocess", "teardown"};
  return names;
}

struct Found {
  std::optional<double> value;
  std::optional<MetricProblem> problem;
};

Found missing(std::string message) {
  return {{}, MetricProblem{Kind::missing, std::move(message)}};
}
Found invalid(std::string message) {
  return {{}, MetricProblem{Kind::invalid, std::move(message)}};
}

std::string described(const json& value) {
  if (value.is_structured()) return value.is_array() ? "a list" : "an object";
  return shown(value.dump(-1, ' ', false, json::error_handler_t::replace));
}

class Extractor {
 public:
  explicit Extractor(const ExtractRequest& request) : request_(request) {}

  Found find(const MetricSpec& spec) {
    if (spec.source == MetricSpec::Source::json) return from_json(spec.where);
    if (spec.source == MetricSpec::Source::regex) return from_log(spec.where);
    return from_stages(spec.where);
  }

 private:
  struct Document {
    json value;
    std::string problem;
  };

  const Document& document(const std::string& path) {
    const auto [at, fresh] = documents_.try_emplace(path);
    if (!fresh) return at->second;
    try {
      at->second.value = json::parse(request_.files->read(path, largest_json));
    } catch (const UnsafeContent& error) {
      at->second.problem = error.what();
    } catch (const json::exception& error) {
      at->second.problem = shown(path) + " is no JSON: " + shown(error.what());
    }
    return at->second;
  }

  Found from_json(const std::string& where) {
    const auto hash = where.find('#');
    const std::string glob = where.substr(0, hash);
    const std::string pointer = hash == std::string::npos ? "" : where.substr(hash + 1);
    const auto paths =
        request_.files ? request_.files->matching_files(glob) : std::vector<std::string>{};
    if (paths.empty()) return missing("no file matches " + shown(glob));
    long double sum = 0;
    for (const auto& path : paths) {
      const Found one = from_document(path, pointer);
      if (one.problem) return one;
      sum += *one.value;
    }
    return {static_cast<double>(sum / static_cast<long double>(paths.size())), {}};
  }

  Found from_document(const std::string& path, const std::string& pointer) {
    const Document& read = document(path);
    if (!read.problem.empty()) return invalid(read.problem);
    try {
      const json::json_pointer at(pointer);
      if (!read.value.contains(at)) return missing(shown(path) + " has no " + shown(pointer));
      const json& value = read.value.at(at);
      if (value.is_number() && std::isfinite(value.get<double>())) return {value.get<double>(), {}};
      return invalid(shown(path) + " " + shown(pointer) + " is no finite number but " +
                     described(value));
    } catch (const json::exception& error) {
      return missing(shown(path) + " " + shown(pointer) + ": " + shown(error.what()));
    }
  }

  Found from_log(const std::string& where) const {
    const Expression expression(where);
    if (!expression.problem().empty())
      return invalid("the regular expression " + shown(where) + ": " + expression.problem());
    if (request_.stdout_log < 0) return missing("there is no stdout.log to look into");
    std::optional<std::string> text;
    each_line_backwards(request_.stdout_log, [&](std::string_view line) {
      text = expression.last_match(line);
      return !text;
    });
    if (!text) return missing("no line of stdout.log matches " + shown(where));
    const auto value = parse_number(*text);
    if (value && std::isfinite(*value)) return {*value, {}};
    return invalid("stdout.log: " + shown(where) + " matches '" + shown(*text) +
                   "', which is no finite number");
  }

  Found from_stages(const std::string& where) const {
    if (request_.stages) {
      const auto stage = request_.stages->find(where);
      if (stage != request_.stages->end()) return {stage->second, {}};
    }
    if (where == "measure") return {request_.measure_seconds, {}};
    const auto& names = stage_names();
    if (std::find(names.begin(), names.end(), where) != names.end()) return {};
    return missing("there is no stage " + shown(where));
  }

  const ExtractRequest& request_;
  std::map<std::string, Document> documents_;
};

MetricValue value_of(const MetricSpec& spec, double value) {
  MetricValue out{spec.name, value, spec.unit, spec.better, spec.primary};
  if (spec.source != MetricSpec::Source::stage) return out;
  if (out.unit.empty()) out.unit = "s";
  if (out.better == Direction::unspecified) out.better = Direction::lower;
  return out;
}

bool names_one(const std::vector<MetricValue>& metrics, const std::string& name) {
  return std::any_of(metrics.begin(), metrics.end(),
                     [&](const MetricValue& metric) { return metric.name == name; });
}

}  // namespace

const char* name_of(Direction direction) {
  switch (direction) {
    case Direction::unspecified:
      return "unspecified";
    case Direction::higher:
      return "higher";
    case Direction::lower:
      return "lower";
  }
  return "unspecified";
}

Extraction extract_metrics(const ExtractRequest& request) {
  Extraction out;
  Extractor extractor(request);
  bool declared = false;
  for (const auto& spec : request.collect ? request.collect->metrics : std::vector<MetricSpec>{}) {
    declared = declared || spec.name == "measure_seconds";
    Found found = extractor.find(spec);
    if (found.value) out.metrics.push_back(value_of(spec, *found.value));
    if (!found.problem) continue;
    found.problem->message = "metric " + spec.name + ": " + found.problem->message;
    out.problems.push_back(std::move(*found.problem));
  }
  if (!declared)
    out.metrics.push_back(
        {"measure_seconds", request.measure_seconds, "s", Direction::lower, false});
  return out;
}

void add_stage_metrics(std::vector<MetricValue>& metrics, const Collect& collect,
                       const std::map<std::string, double>& stages) {
  for (const auto& spec : collect.metrics) {
    if (spec.source != MetricSpec::Source::stage || names_one(metrics, spec.name)) continue;
    const auto stage = stages.find(spec.where);
    if (stage != stages.end()) metrics.push_back(value_of(spec, stage->second));
  }
}

}  // namespace campaign
