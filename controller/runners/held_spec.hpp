// Containers that outlive one run, as plain descriptions: one that is held alive for the execs of a
// worker's runs, those execs, and the server beside a client. Pure.
//
// In a held container the folders of all attempts are mounted at once, and an attempt finds its own
// by name:
//   attempts/  /campaign/runs     a payload's results: CAMPAIGN_RESULTS_DIR is a folder of it
//   pilot/     /campaign/pilot    the same for pilots
//   warmup/    /campaign/warmup   the same for warmup_command
//   home/      /campaign/home     HOME is a folder of it
//   ctl/       /campaign/ctl      the launcher's; and once more, read-only, as
//   ctl/       /campaign/config   CAMPAIGN_CONFIG is a file of it
#pragma once

#include "container/exec.hpp"
#include "controller/runners/docker_spec.hpp"

namespace controller {

// What the held container of an attempt is named by: its service of the compose file, else which
// runner of the campaign it has.
std::string service_of(const campaign::Campaign& campaign, const Attempt& attempt);
// "cctl-<uid8>-<service>-w<worker>"
std::string held_name(const std::string& uid, const std::string& service, int worker);

// `payload` is that of any attempt that runs in it. `results` is the session's folder; what is
// mounted must be there.
container::ContainerSpec held_spec(const DockerSpecRequest& request,
                                   const campaign::ResultsFolder& results);
// Below the results folder, each with what it is inside.
struct SharedFolder {
  std::filesystem::path here;
  std::string inside;
  bool read_only = false;
};
std::vector<SharedFolder> shared_folders(const campaign::ResultsFolder& results);

// The exec of an attempt; its container's id is the caller's to fill in.
container::ExecRun exec_run(const DockerSpecRequest& request);
// The n-th execution of its warmup_command, from 1; `payload` is resolve_warmup's.
container::ExecRun warmup_run(const DockerSpecRequest& request, int n);

// "cctl-<uid8>-<run>-a<attempt>-server", in the network of its worker under the name `server`. Its
// launcher writes into `server/` of the attempt's ctl folder.
container::ContainerSpec server_spec(const DockerSpecRequest& request,
                                     const std::vector<std::string>& ports);
container::NetworkSpec network_spec(const Belonging& belonging, int worker);

// Equal for containers that do the same: everything of a spec but its name, its labels and where
// its launcher writes.
std::string spec_hash(container::ContainerSpec spec);

}  // namespace controller
