#include "records.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <ctime>
#include <nlohmann/json.hpp>
#include <numeric>

namespace payload {
namespace {

using json = nlohmann::ordered_json;

double mean(const std::vector<double>& values) {
  if (values.empty()) return 0;
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

// Linear interpolation at p/100*(n-1) of sorted values.
json percentile(const std::vector<double>& sorted, double p) {
  if (sorted.empty()) return nullptr;
  const double at = p / 100 * static_cast<double>(sorted.size() - 1);
  const auto low = static_cast<std::size_t>(at);
  const std::size_t high = std::min(low + 1, sorted.size() - 1);
  return sorted[low] + (at - static_cast<double>(low)) * (sorted[high] - sorted[low]);
}

void summarise(json& into, const std::string& name, std::vector<double> values) {
  into[name + "_ms"] = values;
  std::sort(values.begin(), values.end());
  for (const int p : {50, 95, 99})
    into[name + "_p" + std::to_string(p) + "_ms"] = percentile(values, p);
  into[name + "_mean_ms"] = values.empty() ? json() : json(mean(values));
}

struct Latencies {
  std::vector<double> ttft_ms;  // one a prompt
  std::vector<double> itl_ms;   // one a prompt and token after the first
};

Latencies latencies_of(const std::vector<Generation>& batches) {
  Latencies result;
  for (const Generation& batch : batches) {
    const std::size_t prompts = batch.outputs.size();
    const auto& ends = batch.step_end_ns;
    result.ttft_ms.insert(result.ttft_ms.end(), prompts,
                          static_cast<double>(ends.front() - batch.begin_ns) / 1e6);
    for (std::size_t i = 1; i < ends.size(); ++i) {
      result.itl_ms.insert(result.itl_ms.end(), prompts,
                           static_cast<double>(ends[i] - ends[i - 1]) / 1e6);
    }
  }
  return result;
}

json inference_metrics(const Settings& settings, const Measurement& measurement) {
  const Latencies latencies = latencies_of(measurement.batches);
  const double seconds = static_cast<double>(measurement.end_ns - measurement.begin_ns) / 1e9;
  const long input = static_cast<long>(settings.num_input_prompts) * settings.max_input_tokens;
  const long output = static_cast<long>(settings.num_input_prompts) * settings.max_output_tokens;
  json measurements;
  summarise(measurements, "ttft", latencies.ttft_ms);
  summarise(measurements, "itl", latencies.itl_ms);
  return {{"total_tokens", input + output},
          {"input_tokens", input},
          {"output_tokens", output},
          {"inference_time_sec", seconds},
          {"tokens_per_second", static_cast<double>(output) / seconds},
          {"latency_per_token_ms", seconds * 1000 / static_cast<double>(output)},
          {"time_to_first_token_ms", mean(latencies.ttft_ms)},
          {"latency_measurements", measurements}};
}

json warmup_result(const Settings& settings, const Warmup& warmup) {
  return {{"converged", warmup.converged},
          {"final_cv", warmup.final_cv},
          {"iterations_completed", warmup.latencies_ms.size()},
          {"target_cv", 0.05},
          {"max_prompts", settings.warmup_prompts},
          {"latencies_ms", warmup.latencies_ms}};
}

// FNV-1a over all generated tokens: equal for equal texts.
std::string text_hash(const std::vector<Generation>& batches) {
  std::uint64_t hash = 14695981039346656037ULL;
  for (const Generation& batch : batches) {
    for (const Prompt& output : batch.outputs) {
      for (const llama_token token : output)
        hash = (hash ^ static_cast<std::uint32_t>(token)) * 1099511628211ULL;
    }
  }
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(hash));
  return text;
}

std::runtime_error failed(const std::string& path) {
  return std::runtime_error(path + ": " + std::strerror(errno));
}

void write_all(int file, const std::string& text, const std::string& path) {
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t count = write(file, text.data() + done, text.size() - done);
    if (count < 0 && errno != EINTR) throw failed(path);
    if (count > 0) done += static_cast<std::size_t>(count);
  }
}

void replace_file(const std::string& path, const std::string& text) {
  const std::string temporary = path + ".tmp";
  const int file = open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file < 0) throw failed(temporary);
  write_all(file, text, temporary);
  if (fsync(file) != 0 || close(file) != 0 || rename(temporary.c_str(), path.c_str()) != 0)
    throw failed(path);
}

}  // namespace

Metrics::Metrics() {
  const std::string path = environment("CAMPAIGN_METRICS_FILE");
  if (path.empty()) return;
  file_ = open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (file_ < 0) throw failed(path);
}

Metrics::~Metrics() {
  if (file_ >= 0) close(file_);
}

void Metrics::line(const std::string& text) {
  if (file_ >= 0) write_all(file_, text + "\n", "CAMPAIGN_METRICS_FILE");
}

void Metrics::phase(const std::string& name, const std::string& mark) {
  line(json{{"kind", "phase"}, {"name", name}, {"mark", mark}, {"mono_ns", mono_ns()}}.dump());
}

void Metrics::requests(const Generation& generation, const Settings& settings) {
  const std::int64_t begin = generation.begin_ns, end = generation.step_end_ns.back();
  const json request = {
      {"kind", "request"},
      {"latency_s", static_cast<double>(end - begin) / 1e9},
      {"ttft_s", static_cast<double>(generation.step_end_ns.front() - begin) / 1e9},
      {"tokens_in", settings.max_input_tokens},
      {"tokens_out", settings.max_output_tokens},
      {"mono_ns", end}};
  for (std::size_t i = 0; i < generation.outputs.size(); ++i) line(request.dump());
}

void Metrics::request(const RequestLine& request) {
  line(json{{"kind", "request"},
            {"latency_s", request.latency_s},
            {"ttft_s", request.ttft_s},
            {"tokens_in", request.tokens_in},
            {"tokens_out", request.tokens_out},
            {"mono_ns", mono_ns()}}
           .dump());
}

void Metrics::progress(int done, int total) {
  line(json{{"kind", "progress"}, {"done", done}, {"total", total}, {"mono_ns", mono_ns()}}.dump());
}

double variation(const std::vector<double>& values, std::size_t window) {
  const std::vector<double> last(values.end() - static_cast<long>(std::min(window, values.size())),
                                 values.end());
  const double middle = mean(last);
  if (middle == 0) return 0;
  double squares = 0;
  for (const double value : last) squares += (value - middle) * (value - middle);
  return std::sqrt(squares / static_cast<double>(last.size())) / middle;
}

std::string utc_now() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  tm parts{};
  gmtime_r(&now.tv_sec, &parts);
  char date[32], text[48];
  std::strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &parts);
  std::snprintf(text, sizeof text, "%s.%03ldZ", date, now.tv_nsec / 1'000'000);
  return text;
}

void write_document(const std::string& text) {
  replace_file(environment("CAMPAIGN_RESULTS_DIR") + "/process_0.json", text);
}

double write_result(const Settings& settings, const Warmup& warmup,
                    const Measurement& measurement) {
  const json metrics = inference_metrics(settings, measurement);
  const json result = {
      {"schema_version", "3.0.0"},
      {"experiment_id", environment("CAMPAIGN_EXPERIMENT", "unnamed")},
      {"backend", "llamacpp"},
      {"backend_version", llama_version()},
      {"process_index", 0},
      {"config_name", settings.config_name.empty() ? json() : json(settings.config_name)},
      {"model_name", settings.model_name},
      {"timestamps",
       {{"start", measurement.start_utc},
        {"end", measurement.end_utc},
        {"duration_sec", static_cast<double>(measurement.end_ns - measurement.begin_ns) / 1e9}}},
      {"inference_metrics", metrics},
      {"warmup_result", warmup_result(settings, warmup)},
      {"extended_metrics", {{"output_hash", text_hash(measurement.batches)}}},
      {"effective_config", json::parse(settings.document)}};
  write_document(result.dump(1) + "\n");
  return metrics["tokens_per_second"];
}

}  // namespace payload
