// What the runs of a session ask for in GPUs, as far as files tell, and what others hold: the part
// of the selection that `plan` looks at too.
#pragma once

#include "compose/model.hpp"
#include "controller/gpu/allotment.hpp"
#include "controller/gpu/broker.hpp"
#include "controller/session.hpp"

namespace controller {

// The service of a compose runner that is to use GPUs: the server's where there is one.
const std::string& service_with_gpus(const campaign::Runner& runner);

// Of the program that is to use them. What the experiment or its runner says, then `gpus: none` of
// the campaign, then what the service reserves; nullopt: nothing says it. `project` may be null
// where no runner is a service of it.
std::optional<gpu::Asked> written_wish(const campaign::Campaign& campaign,
                                       const campaign::Experiment& experiment,
                                       const compose::Project* project);

// Experiments that do not run any more need not find their devices: they ask for none.
struct OpenRuns {
  const campaign::Campaign* campaign = nullptr;
  const campaign::Plan* plan = nullptr;
  const campaign::Fold* fold = nullptr;
  const UpOptions* options = nullptr;
  bool revised = false;  // the plan is another one than that of the fold
};
void leave_out_done(std::vector<gpu::Asked>& asked, const OpenRuns& runs);

// What others hold. A device of a run of ours that was under way when the last controller ended is
// not theirs, whoever is seen on it, and a container of ours is none of them.
gpu::Taken taken_by_others(const gpu::Inventory& inventory, const gpu::Neighbours& neighbours,
                           const campaign::Fold& fold);

}  // namespace controller
