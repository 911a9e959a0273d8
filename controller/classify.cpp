#include "controller/classify.hpp"

#include <cstring>

namespace controller {

using campaign::FailureClass;

namespace {

std::string how_it_exited(const ProcessEnding& ending) {
  if (ending.signal) return std::string("killed by ") + strsignal(*ending.signal);
  return "exit code " + std::to_string(ending.exit_code.value_or(-1));
}

std::optional<Classified> classify_start(const ProcessEnding& ending) {
  if (ending.outcome && ending.outcome->exec_errno != 0)
    return Classified{FailureClass::config,
                      "the command could not be executed: " + ending.outcome->exec_error};
  const int code = ending.exit_code.value_or(0);
  if (ending.start_failed && (code == 126 || code == 127))
    return Classified{FailureClass::config, "the container could not be started: " + ending.error};
  if (ending.start_failed)
    return Classified{FailureClass::infra, "the container could not be started: " + ending.error};
  if (!ending.outcome && (code == 126 || code == 127) && ending.known)
    return Classified{FailureClass::config,
                      "the command could not be executed (" + how_it_exited(ending) + ")"};
  return std::nullopt;
}

// A server that came to an end before its client: by its own doing, or by somebody else's.
Classified classify_server(const ServerEnding& server) {
  if (!server.exec_error.empty())
    return {FailureClass::config,
            "the command of its server could not be executed: " + server.exec_error};
  if (server.known && server.exit_code)
    return {FailureClass::payload, "its server ended with exit code " +
                                       std::to_string(*server.exit_code) + server.last_lines};
  if (server.signal)
    return {FailureClass::infra, std::string("its server was killed by ") +
                                     strsignal(*server.signal) + server.last_lines};
  return {FailureClass::infra, "its server is gone" + server.last_lines};
}

}  // namespace

bool looks_like_the_engines_doing(const ProcessEnding& ending) {
  if (ending.signal) return *ending.signal == 9 || *ending.signal == 15;
  const int code = ending.exit_code.value_or(0);
  return code == 137 || code == 143 || code == 255;
}

Classified classify(const ProcessEnding& ending, OurStop our_stop) {
  if (our_stop == OurStop::timeout)
    return {FailureClass::timeout, "ran into its timeout and was stopped"};
  if (our_stop == OurStop::stalled)
    return {FailureClass::stalled, "gave no sign of life (output, metrics) and was stopped"};
  if (our_stop == OurStop::stopped) return {FailureClass::interrupted, "stopped on request"};
  const bool failed = ending.signal || ending.exit_code.value_or(0) != 0;
  if (ending.dependency)
    return {FailureClass::infra,
            "while it ran, a service that it depends on fell: " + *ending.dependency};
  if (ending.server && !ending.engine_gap) return classify_server(*ending.server);
  if (ending.engine_gap && failed && looks_like_the_engines_doing(ending))
    return {FailureClass::infra,
            "the engine went away while it ran (" + how_it_exited(ending) + ")"};
  if (failed && ending.outcome && ending.outcome->stopped_by)
    return {FailureClass::infra, "was told to stop (" + *ending.outcome->stopped_by +
                                     "), and not by this controller (" + how_it_exited(ending) +
                                     ")"};
  if (!ending.known && !ending.start_failed)
    return {FailureClass::infra,
            ending.error.empty() ? "what became of it is unknown" : ending.error};
  if (ending.oom_killed && failed)
    return {FailureClass::oom, "ran out of memory (" + how_it_exited(ending) + ")"};
  if (auto start = classify_start(ending)) return *start;
  if (failed) return {FailureClass::payload, how_it_exited(ending)};
  return {};
}

FailureClass refine_by_log(FailureClass cls, const std::string& log_tail) {
  static const char* const texts[] = {"CUDA out of memory",       "torch.OutOfMemoryError",
                                      "CUDA_ERROR_OUT_OF_MEMORY", "cudaErrorMemoryAllocation",
                                      "HIP out of memory",        "OutOfMemoryError: CUDA"};
  if (cls != FailureClass::payload) return cls;
  if (lost_its_gpu(log_tail)) return FailureClass::infra;
  for (const char* text : texts)
    if (log_tail.find(text) != std::string::npos) return FailureClass::gpu_oom;
  return cls;
}

bool lost_its_gpu(const std::string& log_tail) {
  return log_tail.find("Failed to initialize NVML") != std::string::npos;
}

}  // namespace controller
