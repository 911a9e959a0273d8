// Runs one experiment of llama.cpp inference as a campaign's payload: warmup, measured prompts,
// process_0.json. Exits with 0, with 2 and one line for a configuration that cannot be run, with 1
// and one line for anything else.

#include <cstdio>
#include <random>

#include "engine.hpp"
#include "records.hpp"
#include "settings.hpp"

namespace payload {
namespace {

constexpr std::size_t window = 5;
constexpr double target_variation = 0.05;

std::vector<Prompt> make_prompts(const Settings& settings, int vocabulary) {
  std::mt19937_64 random(static_cast<std::uint64_t>(settings.random_seed));
  std::vector<Prompt> prompts(static_cast<std::size_t>(settings.num_input_prompts));
  for (Prompt& prompt : prompts) {
    for (int i = 0; i < settings.max_input_tokens; ++i) {
      prompt.push_back(static_cast<llama_token>(random() % static_cast<std::uint64_t>(vocabulary)));
    }
  }
  return prompts;
}

Warmup warm_up(Engine& engine, const Settings& settings, Metrics& metrics,
               const std::vector<Prompt>& prompts) {
  Warmup warmup;
  const std::int64_t begin = mono_ns();
  const auto limit_ns = static_cast<std::int64_t>(settings.warmup_timeout_s * 1e9);
  for (int i = 0; i < settings.warmup_prompts; ++i) {
    if (limit_ns > 0 && mono_ns() - begin >= limit_ns) break;
    const Generation one = engine.generate({prompts[static_cast<std::size_t>(i) % prompts.size()]});
    metrics.requests(one, settings);
    warmup.latencies_ms.push_back(static_cast<double>(one.step_end_ns.back() - one.begin_ns) / 1e6);
    warmup.final_cv = variation(warmup.latencies_ms, window);
    warmup.converged = warmup.latencies_ms.size() >= window && warmup.final_cv < target_variation;
    if (warmup.converged) break;
  }
  warmup.converged = warmup.converged || settings.warmup_prompts == 0;
  return warmup;
}

Measurement measure(Engine& engine, const Settings& settings, Metrics& metrics,
                    const std::vector<Prompt>& prompts) {
  Measurement measurement;
  const int total = static_cast<int>(prompts.size());
  metrics.phase("measure", "begin");
  measurement.start_utc = utc_now();
  measurement.begin_ns = mono_ns();
  for (int done = 0; done < total;) {
    const int next = std::min(done + settings.batch_size, total);
    measurement.batches.push_back(
        engine.generate({prompts.begin() + done, prompts.begin() + next}));
    done = next;
    metrics.requests(measurement.batches.back(), settings);
    metrics.progress(done, total);
  }
  measurement.end_ns = mono_ns();
  measurement.end_utc = utc_now();
  metrics.phase("measure", "end");
  return measurement;
}

void run() {
  const Settings settings = read_settings();
  if (environment("CAMPAIGN_RESULTS_DIR").empty())
    throw BadConfig("CAMPAIGN_RESULTS_DIR is not set");
  Metrics metrics;
  Engine engine(settings);
  const std::vector<Prompt> prompts = make_prompts(settings, engine.vocabulary());
  metrics.phase("warmup", "begin");
  const Warmup warmup = warm_up(engine, settings, metrics, prompts);
  metrics.phase("warmup", "end");
  const Measurement measurement = measure(engine, settings, metrics, prompts);
  const double speed = write_result(settings, warmup, measurement);
  std::printf("llamacpp %s %s (%.1f MB): %d prompts of %d + %d tokens, %.1f tok/s\n",
              llama_version(), settings.precision.c_str(),
              static_cast<double>(engine.model_bytes()) / 1e6, settings.num_input_prompts,
              settings.max_input_tokens, settings.max_output_tokens, speed);
}

}  // namespace
}  // namespace payload

int main() {
  try {
    payload::run();
    return 0;
  } catch (const payload::BadConfig& error) {
    std::fprintf(stderr, "bad configuration: %s\n", error.what());
    return 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "failed: %s\n", error.what());
    return 1;
  }
}
