// The labels that say whose a container is. Adoption, reaping and `down` go by uid, never by name.
#pragma once

namespace container::label {

inline constexpr char uid[] = "campaignctl.uid";
inline constexpr char campaign[] = "campaignctl.campaign";
inline constexpr char session[] = "campaignctl.session";
inline constexpr char run[] = "campaignctl.run";
inline constexpr char attempt[] = "campaignctl.attempt";
inline constexpr char spec_hash[] = "campaignctl.spec-hash";
inline constexpr char controller[] = "campaignctl.controller";
inline constexpr char host[] = "campaignctl.host";
// Absolute path of the campaign's controller.lock.
inline constexpr char lock[] = "campaignctl.lock";
inline constexpr char gpus[] = "campaignctl.gpus";
// Of a container that is held alive for execs, and of its network: whose they are. Such a container
// has no run.
inline constexpr char service[] = "campaignctl.service";
inline constexpr char worker[] = "campaignctl.worker";
// Of a service that those of the runs depend on, by its name in the compose file: it has no run
// and no worker.
inline constexpr char dependency[] = "campaignctl.dependency";
// On the server beside the container of a run; the value is empty.
inline constexpr char server[] = "campaignctl.server";

}  // namespace container::label
