// The Docker Engine API (1.40 to 1.55) over a unix socket or tcp.
#pragma once

#include <memory>

#include "container/endpoint.hpp"
#include "container/engine.hpp"

namespace boost::asio { class io_context; }

namespace container {

struct DockerEngineOptions {
  Endpoint endpoint;
  double connect_timeout = 5;   // seconds
  double request_timeout = 60;  // for verbs that answer at once; create, start and remove get 120
};

std::unique_ptr<Engine> make_docker_engine(boost::asio::io_context& io, const DockerEngineOptions& options);

}  // namespace container
