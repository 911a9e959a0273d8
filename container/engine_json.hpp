// The words of the engine's API, pure: specs to request bodies, response bodies to values. Every
// field of a response may be missing or null and then has its default; a body that is no JSON
// throws EngineError (status 0).
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "container/engine.hpp"

namespace container::engine_json {

// The body of a create. Throws EngineError (400) for what the engine would accept and the kernel
// then refuse as if the payload had failed: one argument or variable above 128 KiB, or all together
// above what the stack limit allows.
// Of several networks an engine below 1.44 is told the first.
inline constexpr int newest_minor = 55, several_networks_minor = 44;
std::string create_body(const ContainerSpec& spec, int api_minor = newest_minor);
// EngineError (400) that names what an engine of API 1.<api_minor> would silently ignore.
void refuse_newer_options(const ContainerSpec& spec, int api_minor);
// {"label":["k","k=v"],...}; a label with an empty value asks that the label is present.
std::string label_filter(const std::map<std::string, std::string>& labels,
                         std::string_view type = {});

std::string network_body(const NetworkSpec& spec);
std::string connect_body(const NetworkAttachment& attachment, const std::string& container);
std::string disconnect_body(const std::string& container);
std::string volume_body(const VolumeSpec& spec);
std::string exec_body(const ExecSpec& spec);
enum class ExecStart { detached, attached, terminal };
std::string exec_start_body(ExecStart how);

std::string created_id(const std::string& body);
NetworkInfo network(const std::string& body);
std::vector<NetworkInfo> networks(const std::string& body);
VolumeInfo volume(const std::string& body);
std::vector<VolumeInfo> volumes(const std::string& body);
ExecState exec(const std::string& body);
EngineInfo info(const std::string& body);
ContainerState state(const std::string& body);
// nullopt: the container does not run, by the time of the reading (the year 1, or none).
std::optional<ContainerStats> stats(const std::string& body);
std::vector<ContainerSummary> summaries(const std::string& body);
ImageInfo image(const std::string& body);
// Not known: an empty or cut body, no StatusCode, or a negative one (podman for a container that
// never ran).
WaitResult wait_result(const std::string& body);
// nullopt: the line is no event. The command lines that exec events carry are cut off: they may
// hold secrets.
std::optional<EngineEvent> event(const std::string& line);
// The engine's own words in an error body, JSON or plain text; never empty, one line, bounded.
std::string error_text(const std::string& body);
// The error in one line of a pull's progress, which comes under HTTP 200.
std::optional<std::string> pull_error(const std::string& line);

}  // namespace container::engine_json
