#include "engine.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <filesystem>

#include "ggml-backend.h"

namespace payload {
namespace {

constexpr int largest_step = 512;  // tokens in one llama_decode

void only_errors(ggml_log_level level, const char* text, void*) {
  if (level == GGML_LOG_LEVEL_ERROR) std::fputs(text, stderr);
}

std::filesystem::path home() {
  return std::filesystem::read_symlink("/proc/self/exe").parent_path().parent_path();
}

std::string model_path(const Settings& settings) {
  const std::string& name = settings.model_name;
  const bool is_path = name.ends_with(".gguf");
  const std::filesystem::path models = home() / "models";
  const std::filesystem::path path =
      is_path ? std::filesystem::path(name) : models / (name + "-" + settings.precision + ".gguf");
  if (!is_path && name.find('/') != std::string::npos) {
    throw BadConfig("model_name is \"" + name + "\", expected a name or a path that ends in .gguf");
  }
  if (access(path.c_str(), R_OK) != 0) {
    throw BadConfig("model_name is \"" + name + "\", and " + path.string() + " cannot be read");
  }
  return path;
}

void add(llama_batch& batch, llama_token token, llama_pos position, llama_seq_id sequence) {
  const int at = batch.n_tokens++;
  batch.token[at] = token;
  batch.pos[at] = position;
  batch.n_seq_id[at] = 1;
  batch.seq_id[at][0] = sequence;
  batch.logits[at] = 0;
}

void check_precision(const llama_model* model, const Settings& settings, const std::string& file) {
  const llama_ftype wanted =
      settings.precision == "f16" ? LLAMA_FTYPE_MOSTLY_F16 : LLAMA_FTYPE_MOSTLY_Q8_0;
  const llama_ftype found = llama_model_ftype(model);
  if (found != wanted) {
    throw BadConfig(file + " holds " + llama_ftype_name(found) + " weights, fp_precision is " +
                    settings.precision);
  }
}

}  // namespace

std::int64_t mono_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000L + now.tv_nsec;
}

Engine::Engine(const Settings& settings) : settings_(settings), file_(model_path(settings)) {
  llama_log_set(only_errors, nullptr);
  ggml_backend_load_all_from_path((home() / "lib").c_str());
  llama_backend_init();
  llama_model_params model = llama_model_default_params();
  model.n_gpu_layers = 0;
  model_ = llama_model_load_from_file(file_.c_str(), model);
  if (model_ == nullptr) throw std::runtime_error(file_ + " could not be loaded");
  check_precision(model_, settings_, file_);
  llama_context_params context = llama_context_default_params();
  const int length = settings_.max_input_tokens + settings_.max_output_tokens;
  context.n_seq_max = settings_.batch_size;
  context.n_ctx = settings_.batch_size * ((length + 255) / 256 * 256);
  context.n_batch = std::max(largest_step, settings_.batch_size);
  context.n_ubatch = context.n_batch;
  context.n_threads = settings_.threads;
  context.n_threads_batch = settings_.threads;
  context_ = llama_init_from_model(model_, context);
  if (context_ == nullptr) {
    throw BadConfig("no context of " + std::to_string(settings_.batch_size) + " x " +
                    std::to_string(length) + " tokens can be had");
  }
  batch_ = llama_batch_init(context.n_batch, 0, 1);
}

Engine::~Engine() {
  if (batch_.token != nullptr) llama_batch_free(batch_);
  if (context_ != nullptr) llama_free(context_);
  if (model_ != nullptr) llama_model_free(model_);
}

int Engine::vocabulary() const { return llama_vocab_n_tokens(llama_model_get_vocab(model_)); }

std::uint64_t Engine::model_bytes() const { return llama_model_size(model_); }

void Engine::decode() {
  const int result = llama_decode(context_, batch_);
  if (result != 0) throw std::runtime_error("llama_decode failed with " + std::to_string(result));
  llama_synchronize(context_);
}

void Engine::prefill(const std::vector<Prompt>& prompts) {
  const int capacity = std::max(largest_step, settings_.batch_size);
  const int ends = static_cast<int>(prompts.size());
  batch_.n_tokens = 0;
  for (int sequence = 0; sequence < ends; ++sequence) {
    const Prompt& prompt = prompts[sequence];
    for (std::size_t i = 0; i + 1 < prompt.size(); ++i) {
      if (batch_.n_tokens == capacity) {
        decode();
        batch_.n_tokens = 0;
      }
      add(batch_, prompt[i], static_cast<llama_pos>(i), sequence);
    }
  }
  if (batch_.n_tokens + ends > capacity) {
    decode();
    batch_.n_tokens = 0;
  }
  for (int sequence = 0; sequence < ends; ++sequence) {
    add(batch_, prompts[sequence].back(), static_cast<llama_pos>(prompts[sequence].size()) - 1,
        sequence);
    batch_.logits[batch_.n_tokens - 1] = 1;
  }
  decode();
}

llama_token Engine::best_token(int output) const {
  const float* logits = llama_get_logits_ith(context_, output);
  if (logits == nullptr) throw std::runtime_error("llama.cpp returned no logits");
  return static_cast<llama_token>(std::max_element(logits, logits + vocabulary()) - logits);
}

Generation Engine::generate(const std::vector<Prompt>& prompts) {
  const int count = static_cast<int>(prompts.size());
  Generation generation;
  generation.outputs.resize(prompts.size());
  llama_memory_clear(llama_get_memory(context_), true);
  generation.begin_ns = mono_ns();
  prefill(prompts);
  for (int step = 0;; ++step) {
    const int first_output = batch_.n_tokens - count;
    for (int i = 0; i < count; ++i) generation.outputs[i].push_back(best_token(first_output + i));
    generation.step_end_ns.push_back(mono_ns());
    if (step + 1 == settings_.max_output_tokens) return generation;
    batch_.n_tokens = 0;
    for (int i = 0; i < count; ++i) {
      add(batch_, generation.outputs[i].back(), settings_.max_input_tokens + step, i);
      batch_.logits[i] = 1;
    }
    decode();
  }
}

}  // namespace payload
