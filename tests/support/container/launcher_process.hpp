#pragma once

#include <sys/types.h>

#include <filesystem>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace container::testing {

// One start of the launcher as a process. The payload can speak to the test on descriptor 9 and
// hear from it on descriptor 8 (`echo ready >&9; read go <&8`). All waits are bounded by 60 s and
// throw after that.
class LaunchedProcess {
 public:
  struct Setup {
    std::filesystem::path out = {};
    std::vector<std::string> flags = {}, command = {};
    std::map<std::string, std::string> env = {};
    unsigned long file_size_limit = 0;  // bytes, 0: none
  };
  struct End {
    int exit_code = -1, signal = 0;
    std::string out, err;  // of the launcher itself
  };

  explicit LaunchedProcess(const Setup& setup);
  ~LaunchedProcess();
  LaunchedProcess(const LaunchedProcess&) = delete;
  LaunchedProcess& operator=(const LaunchedProcess&) = delete;

  pid_t pid() const { return pid_; }
  std::string hear();                  // the next line on descriptor 9
  void tell(const std::string& line);  // a line on descriptor 8
  End finish();                        // reads both streams until the launcher has ended

 private:
  pid_t pid_ = -1;
  int hear_ = -1, tell_ = -1, out_ = -1, err_ = -1;
};

LaunchedProcess::End launch(const LaunchedProcess::Setup& setup);

// An empty folder that goes away with the object.
class ScratchFolder {
 public:
  ScratchFolder();
  ~ScratchFolder();
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// Tells when a name turns up in a folder; made before what makes the name is started.
class NameWatch {
 public:
  explicit NameWatch(const std::filesystem::path& folder);
  ~NameWatch();
  NameWatch(const NameWatch&) = delete;
  NameWatch& operator=(const NameWatch&) = delete;
  void wait_for(const std::string& name);

 private:
  int fd_;
};

// A process that is not a child of the test.
class WatchedProcess {
 public:
  explicit WatchedProcess(pid_t pid);
  ~WatchedProcess();
  WatchedProcess(const WatchedProcess&) = delete;
  WatchedProcess& operator=(const WatchedProcess&) = delete;
  bool has_ended() const;
  void wait_for_end() const;

 private:
  int fd_;
};

std::string read_text(const std::filesystem::path& file);
nlohmann::json outcome_in(const std::filesystem::path& folder);

}  // namespace container::testing
