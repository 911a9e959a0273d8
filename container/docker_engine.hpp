// The Docker Engine API (1.40 to 1.55) over a unix socket or tcp.
#pragma once

#include <memory>

#include "container/endpoint.hpp"
#include "container/engine.hpp"

namespace boost::asio {
class io_context;
}

namespace container {

struct DockerEngineOptions {
  Endpoint endpoint;
  double connect_timeout = 5;  // seconds
  double request_timeout =
      60;  // for verbs that answer at once; create, start and remove get `change_timeout`
  double change_timeout =
      120;  // for create, start and remove, and for the poll until a removed container is gone
  double pull_silence = 600;  // a pull that reports nothing for so long is given up
};

// The io_context must outlive the engine, and the engine every verb under way; streams and waits
// may outlive it. Times are bounded by the options; only a wait's result and the streams wait for
// ever, with TCP keepalive under them. A verb cancelled from outside throws
// boost::system::system_error (operation_aborted), not EngineError.
//
// What the engine itself would answer wrongly or never is refused with EngineError 409: attach to a
// container that has ended (it would never close), wait not_running on one that has not started (it
// would say 0), wait next_exit on one that has ended (it would hang). A next_exit whose start
// failed hangs too: drop it and inspect. events() tells of what came after `since_nano` (0 = from
// now on); the engine keeps only its last 256 events and none over a restart, so list after every
// resume. Podman's 500 for a conflict is told as 409.
std::unique_ptr<Engine> make_docker_engine(boost::asio::io_context& io,
                                           const DockerEngineOptions& options);

}  // namespace container
