// What the campaign asks this payload to do: the experiment's resolved configuration and the
// CAMPAIGN_* variables.
#pragma once

#include <stdexcept>
#include <string>

namespace payload {

// A configuration that cannot be run: one line that says what is wrong and where. The program exits
// with 2.
struct BadConfig : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct Settings {
  std::string config_name;
  std::string model_name;      // a model of the image ("random-11m"), or a path that ends in .gguf
  std::string precision;       // "f16" or "q8_0"
  int batch_size = 1;          // prompts that are decoded together
  int max_input_tokens = 64;   // tokens of each prompt
  int max_output_tokens = 64;  // tokens generated for each prompt, never fewer
  int num_input_prompts = 8;
  int concurrency = 1;  // of `load`: requests at a time
  long random_seed = 42;
  int threads = 1;              // key `num_threads`
  int warmup_prompts = 5;       // at most so many; 0 is none
  double warmup_timeout_s = 0;  // 0 is none
  std::string document;         // the whole configuration as JSON
};

// Reads $CAMPAIGN_CONFIG; CAMPAIGN_WARMUP_PROMPTS and CAMPAIGN_WARMUP_TIMEOUT win over its
// `warmup`.
Settings read_settings();

// The value of a variable of the environment, or `fallback` where it is unset or empty.
std::string environment(const char* name, const std::string& fallback = "");

}  // namespace payload
