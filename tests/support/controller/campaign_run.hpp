// A campaign in a temporary folder, run by the real campaignctl as a child process.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace controller::test {

struct Ended {
  int code = 0;        // 128 + signal when killed
  std::string output;  // standard output and error
};

class CampaignRun {
 public:
  CampaignRun();
  ~CampaignRun();  // kills a command that is still under way, removes the folder
  CampaignRun(const CampaignRun&) = delete;
  CampaignRun& operator=(const CampaignRun&) = delete;

  const std::filesystem::path& folder() const { return folder_; }
  void write(const std::string& name, const std::string& text) const;
  std::string read(const std::string& name) const;  // "" when it cannot be read
  // For the commands that follow; they see the environment of the test besides.
  void set_environment(const std::string& name, const std::string& value);
  // Put before campaignctl, such as setpriv.
  void set_prefix(std::vector<std::string> argv) { prefix_ = std::move(argv); }

  // campaignctl in the folder, to its end. Throws std::runtime_error when that takes over two
  // minutes.
  Ended run(const std::vector<std::string>& arguments);
  // `up` of campaign.yaml with this text.
  Ended up(const std::string& campaign);
  // The same in the background, and its end.
  void start(const std::vector<std::string>& arguments);
  Ended finish();
  pid_t pid() const { return pid_; }

  // Of the latest session of the campaign "k".
  std::filesystem::path results() const;
  std::string result(const std::string& run, const std::string& file) const;
  std::string of_attempt(const std::string& attempt,
                         const std::string& file) const;    // attempts/, else ctl/
  nlohmann::json record(const std::string& run) const;      // of an accepted run
  nlohmann::json failed(const std::string& attempt) const;  // of a kept attempt
  std::string lock() const;                                 // what containers carry in their label

  // A FIFO in the folder: a payload that mounts it tells the test, or waits for it.
  void make_fifo(const std::string& name);
  void await_line(const std::string& name) const;  // bounded by a minute, then std::runtime_error
  void send_line(const std::string& name) const;

 private:
  std::filesystem::path folder_;
  std::vector<std::string> prefix_, environment_;
  std::map<std::string, int>
      fifos_;  // open for reading and writing: nothing is lost, nobody blocks
  pid_t pid_ = 0;
};

}  // namespace controller::test
