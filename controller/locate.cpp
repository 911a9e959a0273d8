#include "controller/locate.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <optional>

#include "campaign/config/loader.hpp"
#include "campaign/state/session_state.hpp"
#include "controller/errors.hpp"

namespace controller {
namespace {

namespace fs = std::filesystem;

bool is_folder(const fs::path& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}

std::vector<fs::path> children(const fs::path& folder) {
  std::vector<fs::path> found;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error))
    found.push_back(it->path());
  return found;
}

bool is_session(const fs::path& folder) {
  return is_folder(folder / "journal") || fs::exists(folder / "campaign_manifest.json");
}

std::vector<fs::path> sessions_of(const fs::path& campaign_folder) {
  std::vector<fs::path> found;
  for (const fs::path& child : children(campaign_folder)) {
    std::error_code ignored;
    if (!fs::is_symlink(child, ignored) && is_folder(child) && is_session(child))
      found.push_back(child);
  }
  std::sort(found.begin(), found.end(), std::greater<>());
  return found;
}

std::optional<Located> session_at(const fs::path& folder) {
  if (!is_session(folder)) return std::nullopt;
  const fs::path campaign_folder = folder.parent_path();
  return Located{.state_dir = campaign_folder.parent_path(),
                 .campaign_id = campaign_folder.filename().string(),
                 .session = {folder}};
}

std::optional<Located> latest_of(const fs::path& campaign_folder) {
  std::error_code error;
  const fs::path named = fs::read_symlink(campaign_folder / "latest", error);
  if (!error && !named.empty())
    if (auto found = session_at(campaign_folder / named.filename())) return found;
  const std::vector<fs::path> sessions = sessions_of(campaign_folder);
  return sessions.empty() ? std::nullopt : session_at(sessions.front());
}

std::vector<Located> newest_first(std::vector<Located> found) {
  std::sort(found.begin(), found.end(), [](const Located& a, const Located& b) {
    const auto left = a.session.folder.filename(), right = b.session.folder.filename();
    return left != right ? left > right : a.session.folder < b.session.folder;
  });
  const auto same = [](const Located& a, const Located& b) {
    return a.session.folder == b.session.folder;
  };
  found.erase(std::unique(found.begin(), found.end(), same), found.end());
  return found;
}

std::vector<Located> campaigns_in(const fs::path& state_dir) {
  std::vector<Located> found;
  for (const fs::path& child : children(state_dir))
    if (is_folder(child))
      if (auto located = latest_of(child)) found.push_back(std::move(*located));
  return newest_first(std::move(found));
}

fs::path index_folder() {
  const char* state_home = std::getenv("XDG_STATE_HOME");
  if (state_home != nullptr && *state_home == '/')
    return fs::path(state_home) / "campaignctl" / "campaigns";
  const char* home = std::getenv("HOME");
  if (home == nullptr || *home != '/') return {};
  return fs::path(home) / ".local" / "state" / "campaignctl" / "campaigns";
}

std::vector<Located> indexed() {
  std::vector<Located> found;
  for (const fs::path& link : children(index_folder())) {
    std::error_code error;
    const fs::path target = fs::canonical(link, error);
    if (error) continue;
    if (auto located = latest_of(target)) found.push_back(std::move(*located));
  }
  return newest_first(std::move(found));
}

// The nearest .state from `cwd` upwards that holds a campaign; "" when there is none.
fs::path nearest_state_dir(const fs::path& cwd) {
  for (fs::path folder = cwd;; folder = folder.parent_path()) {
    if (!campaigns_in(folder / ".state").empty()) return folder / ".state";
    if (folder == folder.parent_path()) return {};
  }
}

bool unfinished(const Located& located) {
  const campaign::Fold fold = campaign::read_session(located.session).fold;
  return !fold.finished && !fold.abandoned;
}

std::string names_of(const std::vector<Located>& found) {
  std::string names;
  for (const Located& located : found)
    names += (names.empty() ? "" : ", ") + (located.state_dir / located.campaign_id).string();
  return names;
}

Located choose(const std::vector<Located>& found, const std::string& where) {
  if (found.size() == 1) return found.front();
  for (const Located& located : found)
    if (unfinished(located)) return located;
  throw CommandError(ExitCode::usage, where + " holds " + std::to_string(found.size()) +
                                          " finished campaigns, name one: " + names_of(found));
}

fs::path absolute(const LocateRequest& request, const std::string& path) {
  return (fs::path(request.cwd) / path).lexically_normal();
}

fs::path without_slash(const fs::path& path) {
  return path.has_filename() ? path : path.parent_path();
}

std::string lower(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return text;
}

std::vector<Located> with_id(const std::vector<Located>& among, const std::string& id) {
  std::vector<Located> found;
  std::copy_if(among.begin(), among.end(), std::back_inserter(found),
               [&](const Located& located) { return located.campaign_id == id; });
  return found;
}

std::vector<Located> in_folder(const fs::path& folder) {
  if (auto session = session_at(folder)) return {*session};
  if (auto latest = latest_of(folder)) return {*latest};
  return campaigns_in(folder);
}

std::vector<Located> of_file(const LocateRequest& request, const fs::path& file) {
  const campaign::Campaign campaign =
      campaign::load_campaign({.path = file.string(),
                               .sets = {},
                               .environment = campaign::process_environment(),
                               .document = {}});
  const fs::path state_dir = request.state_dir.empty() ? fs::path(campaign.io.state_dir)
                                                       : absolute(request, request.state_dir);
  if (auto latest = latest_of(state_dir / campaign.id)) return {*latest};
  throw CommandError(ExitCode::usage, file.string() + ": campaign `" + campaign.id +
                                          "` has not been started: nothing in " +
                                          state_dir.string() + "; start it with `campaignctl up`");
}

std::vector<Located> of_id(const LocateRequest& request, const std::string& id) {
  if (!request.state_dir.empty())
    return with_id(campaigns_in(absolute(request, request.state_dir)), id);
  for (fs::path folder = request.cwd;; folder = folder.parent_path()) {
    if (auto latest = latest_of(folder / ".state" / id)) return {*latest};
    if (folder == folder.parent_path()) break;
  }
  return with_id(indexed(), id);
}

std::string looked_at(const LocateRequest& request) {
  if (!request.state_dir.empty()) return absolute(request, request.state_dir).string();
  return ".state from " + request.cwd + " upwards and " + index_folder().string();
}

}  // namespace

std::vector<Located> locate_all(const LocateRequest& request) {
  if (!request.campaign.empty()) {
    const fs::path path = absolute(request, request.campaign);
    std::error_code ignored;
    if (is_folder(path)) return in_folder(without_slash(path));
    if (fs::exists(path, ignored)) return of_file(request, path);
    return of_id(request, lower(request.campaign));
  }
  if (!request.state_dir.empty())
    return in_folder(without_slash(absolute(request, request.state_dir)));
  const fs::path nearest = nearest_state_dir(request.cwd);
  return nearest.empty() ? indexed() : campaigns_in(nearest);
}

Located locate(const LocateRequest& request) {
  const std::vector<Located> found = locate_all(request);
  if (!found.empty())
    return choose(found, request.campaign.empty() ? looked_at(request) : request.campaign);
  if (request.campaign.empty())
    throw CommandError(ExitCode::usage, "no campaign found, looked at " + looked_at(request) +
                                            "; name one, or start one with `campaignctl up FILE`");
  throw CommandError(ExitCode::usage,
                     request.campaign +
                         ": neither a campaign file, a state folder nor the id of a "
                         "campaign, looked at " +
                         looked_at(request));
}

void remember(const Located& located, const std::string& uid) {
  const fs::path index = index_folder();
  if (index.empty()) return;
  std::error_code ignored;
  fs::create_directories(index, ignored);
  const fs::path link = index / (located.campaign_id + "-" + uid.substr(0, 8));
  const fs::path fresh = link.string() + "." + std::to_string(getpid());
  fs::create_directory_symlink(located.state_dir / located.campaign_id, fresh, ignored);
  if (ignored) return;
  fs::rename(fresh, link, ignored);
  if (ignored) fs::remove(fresh, ignored);
}

namespace {

// io.manifest_filename is the campaign's own choice: the one JSON file of the session that is no
// snapshot.
std::string manifest_name(const campaign::SessionFolder& session) {
  std::string usual = "campaign_manifest.json";
  std::error_code ignored;
  if (fs::exists(session.folder / usual, ignored)) return usual;
  std::string shortest;
  for (const fs::path& child : children(session.folder)) {
    const std::string name = child.filename().string();
    if (child.extension() != ".json" || name == "snapshot.json" || name.starts_with('.')) continue;
    if (shortest.empty() || name.size() < shortest.size()) shortest = name;
  }
  return shortest.empty() ? usual : shortest;
}

}  // namespace

SessionView read_session(const Located& located) {
  SessionView view;
  view.located = located;
  try {
    view.manifest = campaign::latest_manifest(located.session, manifest_name(located.session));
  } catch (const std::runtime_error& error) {
    throw CommandError(ExitCode::damaged, located.session.folder.string() + ": " + error.what());
  }
  view.campaign = campaign::campaign_of(view.manifest);
  view.results.folder =
      fs::path(view.manifest.results_dir) / view.manifest.campaign_id / view.manifest.session;
  campaign::SessionState state = campaign::read_session(located.session);
  view.fold = std::move(state.fold);
  view.reading = std::move(state.reading);
  return view;
}

}  // namespace controller
