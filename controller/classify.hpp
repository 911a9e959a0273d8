// From how a process ended to the class of its failure. Pure; the order is binding
// (docs/execution.md).
#pragma once

#include "controller/attempt.hpp"

namespace controller {

struct Classified {
  campaign::FailureClass cls = campaign::FailureClass::none;
  std::string message;  // one line, "" for none
};

// TERM or KILL that we did not send, or no code at all: how processes end that an engine takes with
// it.
bool looks_like_the_engines_doing(const ProcessEnding& ending);
// Before results are looked at: `none` means that the process exited 0 by itself.
Classified classify(const ProcessEnding& ending, OurStop our_stop);
// Texts of known out-of-memory errors of GPU frameworks turn a payload failure into gpu_oom, those
// of a container that has lost its devices into infra.
campaign::FailureClass refine_by_log(campaign::FailureClass cls, const std::string& log_tail);
// The container has lost its devices, as happens when the host reloads its device rules: another
// one has them.
bool lost_its_gpu(const std::string& log_tail);

}  // namespace controller
