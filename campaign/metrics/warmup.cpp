#include "campaign/metrics/warmup.hpp"

#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>
#include <vector>

#include "campaign/metrics/text.hpp"

namespace campaign {
namespace {

constexpr std::size_t window = 5;
constexpr double target = 0.05;

std::optional<double> latency_before(std::string_view line, std::int64_t begin_ns) {
  if (line.find("request") == std::string_view::npos) return std::nullopt;
  const auto object = nlohmann::json::parse(line, nullptr, false);
  if (!object.is_object() || object.value("kind", nlohmann::json()) != "request")
    return std::nullopt;
  const auto latency = object.find("latency_s"), at = object.find("mono_ns");
  if (latency == object.end() || at == object.end()) return std::nullopt;
  if (!latency->is_number() || !at->is_number_integer()) return std::nullopt;
  if (at->get<std::int64_t>() > begin_ns) return std::nullopt;
  return latency->get<double>();
}

double variation_of_last(const std::vector<double>& values) {
  const auto first = values.end() - static_cast<std::ptrdiff_t>(window);
  const double mean = std::accumulate(first, values.end(), 0.0) / window;
  double squares = 0;
  for (auto value = first; value != values.end(); ++value)
    squares += (*value - mean) * (*value - mean);
  return std::sqrt(squares / window) / mean;
}

}  // namespace

WarmupReading read_warmup(const AttemptFiles& files, std::int64_t begin_ns) {
  WarmupReading reading;
  if (!files.has("metrics.jsonl")) return reading;
  const Fd fd = files.open("metrics.jsonl");
  if (!fd) return reading;
  std::vector<double> latencies;
  each_line(fd.get(), [&](std::string_view line, bool) {
    if (const auto latency = latency_before(line, begin_ns)) latencies.push_back(*latency);
  });
  reading.requests = latencies.size();
  if (latencies.size() < window) return reading;
  reading.variation = variation_of_last(latencies);
  reading.converged = *reading.variation < target;
  return reading;
}

}  // namespace campaign
