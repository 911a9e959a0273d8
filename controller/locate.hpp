// Which campaign a command means: a campaign id, a campaign file, a state folder, or nothing (the
// only campaign, or the newest unfinished one, of the nearest .state from here upwards, else of the
// user's index).
#pragma once

#include <map>
#include <string>
#include <vector>

#include "campaign/results/results.hpp"
#include "campaign/state/fold.hpp"
#include "campaign/state/journal.hpp"

namespace controller {

struct Located {
  std::filesystem::path state_dir;  // holds <campaign_id>/
  std::string campaign_id;
  campaign::SessionFolder session;  // the latest, or the one named
};

struct LocateRequest {
  std::string campaign;   // as typed, "" = none given
  std::string state_dir;  // --state-dir or CAMPAIGNCTL_STATE_DIR, "" = not said
  std::string cwd;
};

// Throws CommandError(usage) that says what was looked at. `locate_all` gives every candidate,
// newest first.
Located locate(const LocateRequest& request);
std::vector<Located> locate_all(const LocateRequest& request);

// $XDG_STATE_HOME/campaignctl/campaigns/<campaign_id>-<uid8> -> session's campaign folder. Failures
// are ignored: it is an index.
void remember(const Located& located, const std::string& uid);

// What the files of a session say, read without a lock while a controller may be writing them.
struct SessionView {
  Located located;
  campaign::Manifest manifest;
  campaign::Campaign campaign;  // decoded from the manifest
  campaign::Fold fold;
  campaign::JournalReading reading;
  campaign::ResultsFolder results;
};
SessionView read_session(const Located& located);

}  // namespace controller
