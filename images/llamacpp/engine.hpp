// llama.cpp as this payload uses it: a model, a context, and batches of prompts that are prefilled
// and decoded greedily.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "llama.h"
#include "settings.hpp"

namespace payload {

// CLOCK_MONOTONIC in nanoseconds.
std::int64_t mono_ns();

using Prompt = std::vector<llama_token>;

// One batch: all prompts of it start at `begin_ns`; step k of `step_end_ns` is when token k of each
// was known.
struct Generation {
  std::int64_t begin_ns = 0;
  std::vector<std::int64_t> step_end_ns;
  std::vector<Prompt> outputs;  // one a prompt
};

class Engine {
 public:
  // Loads the model; throws BadConfig when there is none of that name or precision,
  // std::runtime_error when it fails.
  explicit Engine(const Settings& settings);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // `prompts` has at most batch_size of them, each of max_input_tokens; every one gets
  // max_output_tokens.
  Generation generate(const std::vector<Prompt>& prompts);
  int vocabulary() const;
  std::string model_file() const { return file_; }
  std::uint64_t model_bytes() const;

 private:
  void prefill(const std::vector<Prompt>& prompts);
  void decode();
  llama_token best_token(int output) const;

  const Settings settings_;
  std::string file_;
  llama_model* model_ = nullptr;
  llama_context* context_ = nullptr;
  llama_batch batch_{};
};

}  // namespace payload
