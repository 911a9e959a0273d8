// SHA-256 of open files, and the completion markers that carry it.
#pragma once

#include <optional>
#include <string>

#include "campaign/metrics/attempt_files.hpp"

namespace campaign {

std::string sha256_of(int fd);  // 64 lower hex digits; throws std::system_error

// .completed_<n>: {"process_index", "gpu_id", "result_path", "timestamp", "result_hash"}; the hash
// is that of process_<n>.json.
struct Marker {
  int process = 0;
  std::string hash;
  std::string timestamp;  // UTC, RFC 3339
};
std::string marker_name(int process);  // ".completed_0"
std::string result_name(int process);  // "process_0.json"
std::optional<int> marker_of(const std::string& name);
std::string write_marker(const Marker& marker);
// Checks a marker (ours or the payload's) against the file that it stands for. A payload may give
// the first 16 digits or more of the hash. "" when they match, else what is wrong.
std::string marker_problem(const AttemptFiles& files, int process);

}  // namespace campaign
