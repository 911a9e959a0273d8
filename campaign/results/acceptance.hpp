// accept_attempt and keep_failed_attempt with a hook after each step that changes the disk, for
// tests that stop there.
#pragma once

#include <functional>

#include "campaign/results/results.hpp"

namespace campaign {

using StepHook = std::function<void(const std::string& step)>;
void accept_attempt(const CollectRequest& request, const RunRecord& record,
                    const StepHook& reached);
void keep_failed_attempt(const CollectRequest& request, const RunRecord& record,
                         const StepHook& reached);

}  // namespace campaign
