// What is known of the engine in front of us before anything runs on it: that it sees our folders,
// which images there are, and what containers need that depends on both. Made once per session.
#pragma once

#include "campaign/state/manifest.hpp"
#include "container/engine.hpp"
#include "container/gpu.hpp"
#include "controller/wake.hpp"

namespace controller {

// An image, resolved once and used by id.
struct SiteImage {
  container::ImageInfo info;
  std::string
      passwd;  // host path of a passwd file with the caller's line; "" = the image's own will do
  bool launcher = true;  // our launcher can run in it
};

struct Site {
  container::EngineInfo info;
  container::GpuHost gpu_host;
  std::string launcher;  // host path of the launcher, below the state folder
  std::string user;      // "uid:gid" of `user: host`
  std::string user_name;
  std::map<std::string, SiteImage> images;  // image as written -> image
};

struct SiteRequest {
  container::Engine* engine = nullptr;
  std::filesystem::path state_folder;  // of the campaign: <state_dir>/<campaign_id>
  std::string uid;                     // of the campaign, for labels
  std::map<std::string, campaign::PullPolicy> images;
  std::map<std::string, std::string> builds;  // image -> the command that makes it: not pulled
  std::function<void(const std::string&)> note;
};

// Throws CommandError(environment) with what to do: engine unreachable, image missing, folders not
// seen, userns-remap.
Task<Site> prepare_site(const SiteRequest& request);

// The launcher that belongs to this program: beside it, or ../libexec. Throws
// CommandError(environment).
std::filesystem::path own_launcher();
// A copy of the launcher below `folder`, made once per content.
std::filesystem::path install_launcher(const std::filesystem::path& folder);

}  // namespace controller
