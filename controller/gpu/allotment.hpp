// The devices of a campaign and, out of them, of each of its experiments: what is granted here,
// less what others hold. Pure; decided once, before anything starts.
#pragma once

#include "controller/gpu/selection.hpp"

namespace controller::gpu {

// What the runs of an experiment ask for.
struct Asked {
  std::string experiment;  // its name
  Wish wish = {.kind = Wish::Kind::none};
  std::string service;  // whose reservation in the compose file says so; "" = none does
};

struct AllotmentRequest {
  const Wish& wish;  // the campaign's
  const campaign::GpusWait& wait;
  const std::vector<Asked>& asked;  // by experiment; what does not run any more asks for none
  const Inventory& inventory;
  const Grant& grant;
  const Taken& taken;
};
struct Allotment {
  Pool pool;
  std::vector<Demand> demands;  // by experiment
};
// With `auto` and a `gpus_wait` the pool is the whole grant where the free ones do not suffice for
// some experiment: the others are waited for. Throws CommandError, with the experiment and what to
// say: environment where there is no device at all, usage where there are too few, or not those.
Allotment allot(const AllotmentRequest& request);

}  // namespace controller::gpu
