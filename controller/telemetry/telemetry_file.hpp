// telemetry.jsonl of one attempt while it grows. A failure to write is kept and told at the end;
// it never stops anything.
#pragma once

#include <filesystem>
#include <string>

namespace controller::telemetry {

class TelemetryFile {
 public:
  enum class How { afresh, go_on };
  TelemetryFile(const std::filesystem::path& path, How how);
  TelemetryFile(const TelemetryFile&) = delete;
  TelemetryFile& operator=(const TelemetryFile&) = delete;
  ~TelemetryFile();
  void append(const std::string& lines);
  const std::string& problem() const { return problem_; }  // "" = none

 private:
  void fail();
  std::filesystem::path path_;
  int fd_ = -1;
  std::string problem_;
};

// Whether its last line is the end.
bool has_ended(const std::filesystem::path& file);

}  // namespace controller::telemetry
