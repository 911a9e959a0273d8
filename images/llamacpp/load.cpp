// Loads a server that speaks as `serve` does: num_input_prompts requests, `concurrency` at a time,
// after a few for warmup. Leaves process_0.json with requests and tokens per second and latencies.
//
//   load [URL]    http://server:8000 where unsaid

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <exception>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "engine.hpp"
#include "http.hpp"
#include "records.hpp"

namespace payload {
namespace {

using nlohmann::json;

struct Answered {
  double latency_s = 0, ttft_s = 0;
  long tokens = 0;
};

Answered request_once(const Target& target) {
  const std::int64_t begin = mono_ns();
  const json body = json::parse(ask(target, {"POST", "/generate", "{}"}));
  return {static_cast<double>(mono_ns() - begin) / 1e9, body.at("ttft_s"), body.at("tokens")};
}

// Every worker takes the next request until there is none; the first failure ends all.
std::vector<Answered> request_many(const Target& target, const Settings& settings,
                                   Metrics& metrics) {
  std::vector<Answered> answers(static_cast<std::size_t>(settings.num_input_prompts));
  std::atomic<std::size_t> next = 0;
  std::exception_ptr failure;
  std::mutex lock;
  const auto work = [&] {
    try {
      for (std::size_t i = next++; i < answers.size(); i = next++) {
        answers[i] = request_once(target);
        const std::scoped_lock held(lock);
        metrics.request({.latency_s = answers[i].latency_s,
                         .ttft_s = answers[i].ttft_s,
                         .tokens_in = settings.max_input_tokens,
                         .tokens_out = static_cast<int>(answers[i].tokens)});
      }
    } catch (...) {
      const std::scoped_lock held(lock);
      failure = std::current_exception();
      next = answers.size();
    }
  };
  std::vector<std::jthread> workers;
  for (int i = 0; i < settings.concurrency; ++i) workers.emplace_back(work);
  workers.clear();
  if (failure) std::rethrow_exception(failure);
  return answers;
}

json percentile(std::vector<double> values, double p) {
  std::sort(values.begin(), values.end());
  const double at = p / 100 * static_cast<double>(values.size() - 1);
  const auto low = static_cast<std::size_t>(at);
  const std::size_t high = std::min(low + 1, values.size() - 1);
  return (values[low] + (at - static_cast<double>(low)) * (values[high] - values[low])) * 1000;
}

json result_of(const std::vector<Answered>& answers, double seconds) {
  std::vector<double> latencies, first;
  long tokens = 0;
  for (const Answered& one : answers) {
    latencies.push_back(one.latency_s);
    first.push_back(one.ttft_s);
    tokens += one.tokens;
  }
  return {{"requests", answers.size()},
          {"seconds", seconds},
          {"requests_per_second", static_cast<double>(answers.size()) / seconds},
          {"tokens_per_second", static_cast<double>(tokens) / seconds},
          {"latency_p50_ms", percentile(latencies, 50)},
          {"latency_p95_ms", percentile(latencies, 95)},
          {"ttft_p50_ms", percentile(first, 50)}};
}

void load(const Target& target) {
  const Settings settings = read_settings();
  Metrics metrics;
  for (int i = 0; i < settings.warmup_prompts; ++i) request_once(target);
  metrics.phase("measure", "begin");
  const std::int64_t begin = mono_ns();
  const std::vector<Answered> answers = request_many(target, settings, metrics);
  const double seconds = static_cast<double>(mono_ns() - begin) / 1e9;
  metrics.phase("measure", "end");
  const json result = result_of(answers, seconds);
  write_document(result.dump(1) + "\n");
  std::printf("%zu requests, %d at a time: %.1f tok/s, p95 %.0f ms\n", answers.size(),
              settings.concurrency, result["tokens_per_second"].get<double>(),
              result["latency_p95_ms"].get<double>());
}

}  // namespace
}  // namespace payload

int main(int argc, char** argv) {
  try {
    payload::load(payload::parse_target(argc > 1 ? argv[1] : "http://server:8000"));
    return 0;
  } catch (const payload::BadConfig& error) {
    std::fprintf(stderr, "bad configuration: %s\n", error.what());
    return 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "failed: %s\n", error.what());
    return 1;
  }
}
