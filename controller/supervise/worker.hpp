// Services that run in a child process of this program with a loop of its own, and what is said
// between it and us: one JSON object a line, over a socket that is the child's standard input and
// output.
//
//   to the child     {"v":1,"type":"start","text":"pulse","options":{"period":"1"}}   once, first
//                    {"v":1,"type":"stop"}
//   from the child   {"v":1,"type":"running"}
//                    {"v":1,"type":"message","text":"..."}      what the service has to tell
//                    {"v":1,"type":"failed","text":"..."}       why it ends with code 1
//
// Lines that are no such object are ignored. A child whose input ends has lost its parent and ends.
#pragma once

#include <map>
#include <optional>

#include "controller/supervise/service.hpp"

namespace controller::supervise {

struct WorkerMessage {
  std::string type, text;
  std::map<std::string, std::string> options;
};
std::string encode(const WorkerMessage& message);  // without the line's end
std::optional<WorkerMessage> decode_worker_message(const std::string& line);

// What a service in a child gets beside its context.
struct WorkerRequest {
  std::map<std::string, std::string> options;
  std::function<void(const std::string& text)> tell;  // to the parent, as a message
};
struct WorkerService {
  std::string name;
  std::function<Task<>(ServiceContext&, const WorkerRequest&)> body;
};
const std::vector<WorkerService>& worker_services();

// The word on the command line that makes a program such a child; nobody types it.
inline constexpr char worker_word[] = "__worker";
// The child's whole life; its exit code.
int run_worker();

}  // namespace controller::supervise
