// What the engine sends piece by piece, on a connection of its own each: the end of a container,
// its output, events. Destroying one closes its connection. A wait may be destroyed while its
// result is awaited (which then throws operation_aborted); the other two may not while next() is
// under way: cancel that first.
#pragma once

#include <memory>
#include <string>

#include "container/engine.hpp"
#include "container/http_client.hpp"
#include "container/stream_demux.hpp"

namespace container {

std::unique_ptr<PendingWait> make_pending_wait(std::unique_ptr<HttpStream> stream);
std::unique_ptr<OutputStream> make_output_stream(std::unique_ptr<HttpStream> stream,
                                                 StreamDemux::Format format);
std::unique_ptr<ExecStream> make_exec_stream(std::unique_ptr<HttpStream> stream,
                                             StreamDemux::Format format);
std::unique_ptr<EventStream> make_event_stream(std::unique_ptr<HttpStream> stream);

}  // namespace container
