// A campaign with runs in every state, made in memory, and a folder and a program to try.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "controller/locate.hpp"

namespace controller::testing {

class Folder {
 public:
  Folder();
  ~Folder();
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string path() const { return path_.string(); }
  std::string write(const std::string& name, const std::string& content) const;
  // Every path below, its size and content, as one text: equal before and after = nothing was
  // written.
  std::string tree() const;

 private:
  std::filesystem::path path_;
};

struct Outcome {
  int code = 0;
  std::string out, err;
};
// Runs campaignctl in `cwd` with HOME and XDG_STATE_HOME below it.
Outcome campaignctl(const std::string& cwd, const std::vector<std::string>& words);

// Two experiments (level 1 and 9) in two cycles, 1000 = start: l1.c01 took 2 s, l9.c01 4 s, l1.c02
// failed for good (payload, exit 3), l9.c02 has run since 1020.
SessionView sample_view();
// Writes a session with this id and an empty journal below <state_dir>/<campaign_id>.
void make_session(const std::string& state_dir, const std::string& campaign_id,
                  const std::string& session);

}  // namespace controller::testing
