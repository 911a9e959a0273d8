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

}  // namespace container::label
