// Networks, volumes and execs of the Docker Engine API. Both arguments outlive what is made.
#pragma once

#include <memory>

#include "container/engine_session.hpp"

namespace container {

std::unique_ptr<Networks> make_docker_networks(EngineSession& session,
                                               const DockerEngineOptions& options);
std::unique_ptr<Volumes> make_docker_volumes(EngineSession& session,
                                             const DockerEngineOptions& options);
std::unique_ptr<Execs> make_docker_execs(EngineSession& session,
                                         const DockerEngineOptions& options);

}  // namespace container
