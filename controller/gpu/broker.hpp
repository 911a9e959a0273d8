// Gives the runs of a session their devices: observes who holds what, decides by `place`, leases
// host-wide. First come, first served, among those that may get the same device.
//
// A device is free for a run when no other run of ours has it, nobody else leases it, no running
// container of another campaign lists it, no process holds it and its memory is low. Processes of
// our own containers that live on between runs do not count. Only what others hold is looked for
// again and again: a run that waits for one of ours leaves the machine alone. One thread.
#pragma once

#include <list>

#include "controller/gpu/discover.hpp"
#include "controller/gpu/hold.hpp"
#include "controller/gpu/placement.hpp"
#include "controller/wake.hpp"

namespace controller::gpu {

// Running containers that list devices in their label.
struct Neighbours {
  Taken taken;                    // those of others
  std::vector<std::string> ours;  // ids of this campaign's
};

struct BrokerParts {
  const campaign::Clock* clock = nullptr;
  Wake* wake = nullptr;
  std::string campaign;  // named in leases
  std::filesystem::path leases = lease_folder();
  campaign::GpusWait wait;
  campaign::GpuPlacement placement = campaign::GpuPlacement::same;
  std::vector<Demand> demands;  // by experiment
  DiscoveryRequest discovery;
  std::function<Task<Neighbours>()>
      neighbours;  // of the engine; none = no containers are looked at
  // Seconds that a device has to become free after a run: its memory is given back late.
  double settling = 15;
};

class Broker {
 public:
  explicit Broker(BrokerParts parts) : parts_(std::move(parts)) {}

  struct Ask {
    std::uint32_t experiment = 0;
    int worker = 0;
    std::function<void(const std::string&)> waits;  // what for; "" = no more
    std::function<bool()> given_up;                 // it is not to begin any more
  };
  struct Obtained {
    std::unique_ptr<Hold> hold;   // none: given up, or refused
    std::vector<Device> devices;  // with readings of just now
    std::string refused;          // others hold what it needs, and `gpus_wait` is over
  };
  bool needs(std::uint32_t experiment) const { return demand(experiment).count > 0; }
  // Waits for others as `gpus_wait` says, for runs of ours as long as they take.
  Task<Obtained> obtain(Ask ask);
  // Of a run that goes on under this controller: by UUIDs with commas. They are kept from other
  // runs of ours in any case. `problem`: someone else leases one by now.
  struct TakenUp {
    std::unique_ptr<Hold> hold;
    std::vector<Device> devices;
    std::string problem;
  };
  TakenUp take_up(const std::string& uuids);
  // A run of an experiment has had these devices, UUIDs with commas.
  void count(std::uint32_t experiment, const std::string& uuids);
  const campaign::GpusWait& wait() const { return parts_.wait; }

 private:
  // What is known of the candidates just now.
  struct Seen {
    std::vector<Device> devices;
    Taken leased;   // by others, or named by their containers
    Taken unready;  // a process, memory in use, gone
  };
  struct Wait {
    std::uint32_t experiment = 0;
    std::optional<double> foreign_since;  // boottime
    std::string why;
  };
  const Demand& demand(std::uint32_t experiment) const { return parts_.demands.at(experiment); }
  bool is_next(const Wait& wait) const;
  std::string waits_for_ours(const Ask& ask, const Wait& wait) const;
  Placed place_now(const Ask& ask, const std::set<std::string>& busy) const;
  Task<Seen> observe(const Ask& ask);
  std::optional<Obtained> decide(const Ask& ask, Wait& wait, const Seen& seen);
  std::unique_ptr<Hold> hold(const std::vector<Device>& devices, Hold::Leases leases);
  // Those that could be had, and whose the others are.
  Hold::Leases lease(const std::vector<Device>& devices, std::string& holder) const;

  const BrokerParts parts_;
  std::list<Wait> queue_;
  std::set<std::string> busy_;  // UUIDs that runs of ours have
  std::map<std::uint32_t, std::map<std::string, int>> used_;
  std::map<int, std::vector<std::string>> last_;  // by worker
};

// Without the processes of these containers (ids), and what they use of its memory.
Device without(const std::vector<std::string>& containers, Device device);
// What a driver has, while the caller does other things; nullopt: it does not answer, or
// `given_up`.
Task<std::optional<Inventory>> discover_meanwhile(const DiscoveryRequest& request, Wake& wake,
                                                  std::function<bool()> given_up);

}  // namespace controller::gpu
