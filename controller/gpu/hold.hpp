// Devices that a run has to itself, until it is over.
#pragma once

#include <functional>

#include "controller/gpu/device.hpp"
#include "controller/gpu/lease.hpp"

namespace controller::gpu {

class Hold {
 public:
  using Leases = std::vector<std::unique_ptr<Lease>>;
  // `released` is called last, once the leases are gone.
  Hold(Leases leases, std::function<void()> released)
      : leases_(std::move(leases)), released_(std::move(released)) {}
  Hold(const Hold&) = delete;
  Hold& operator=(const Hold&) = delete;
  ~Hold() {
    leases_.clear();
    released_();
  }

 private:
  Leases leases_;
  std::function<void()> released_;
};

}  // namespace controller::gpu
