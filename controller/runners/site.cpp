#include "controller/runners/site.hpp"

#include <pwd.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "campaign/state/files.hpp"
#include "container/labels.hpp"
#include "controller/errors.hpp"
#include "controller/runners/gpus.hpp"

namespace controller {

namespace fs = std::filesystem;

namespace {

CommandError environment_error(const std::string& what) { return {ExitCode::environment, what}; }

std::string caller_name() {
  const passwd* entry = getpwuid(getuid());
  return entry ? entry->pw_name : "campaign";
}

Task<container::EngineInfo> engine_info(container::Engine& engine) {
  std::string reason;
  try {
    co_return co_await engine.info();
  } catch (const container::EngineError& error) {
    reason = error.what();
  }
  throw environment_error("the container engine cannot be used: " + reason +
                          "\n  `campaignctl doctor` says what was tried and what to do");
}

Task<container::ImageInfo> resolve_image(const SiteRequest& request, const std::string& name,
                                         campaign::PullPolicy policy) {
  container::Engine& engine = *request.engine;
  std::optional<container::ImageInfo> image;
  if (policy != campaign::PullPolicy::always) image = co_await engine.image(name);
  if (image) co_return *image;
  if (policy == campaign::PullPolicy::never)
    throw environment_error("image " + name +
                            " is not on the engine, and `pull: never` forbids to pull it");
  const auto build = request.builds.find(name);
  if (build != request.builds.end() && policy != campaign::PullPolicy::always)
    throw environment_error("image " + name + " is not on the engine: build it: " + build->second);
  request.note("pulling " + name);
  std::string reason;
  try {
    co_await engine.pull(name);
    image = co_await engine.image(name);
    reason = "the engine does not list it after the pull";
  } catch (const container::EngineError& error) {
    reason = error.what();
  }
  if (!image)
    throw environment_error("image " + name + " is not on the engine and could not be pulled: " +
                            reason + "\n  build or load it, or correct `image`");
  co_return *image;
}

bool runs_here(const std::string& image_architecture) {
#if defined(__x86_64__)
  return image_architecture == "amd64" || image_architecture.empty();
#elif defined(__aarch64__)
  return image_architecture == "arm64" || image_architecture.empty();
#else
  return false;
#endif
}

bool has_user(const std::string& passwd, const std::string& uid) {
  std::size_t line = 0;
  while (line < passwd.size()) {
    const std::size_t end = std::min(passwd.find('\n', line), passwd.size());
    const std::string text = passwd.substr(line, end - line);
    const auto first = text.find(':');
    const auto second = first == std::string::npos ? first : text.find(':', first + 1);
    if (second != std::string::npos &&
        text.substr(second + 1, text.find(':', second + 1) - second - 1) == uid)
      return true;
    line = end + 1;
  }
  return false;
}

std::string passwd_line(const Site& site) {
  const auto colon = site.user.find(':');
  return site.user_name + ":x:" + site.user.substr(0, colon) + ":" + site.user.substr(colon + 1) +
         "::/campaign/home:/bin/sh\n";
}

// A controller that is killed before its session is stored leaves nobody who knows the uid: only
// the proof that it is dead lets `down --orphans` remove what it made.
std::map<std::string, std::string> orphan_labels(const SiteRequest& request) {
  utsname names{};
  uname(&names);
  return {
      {container::label::uid, request.uid},
      {container::label::host, names.nodename},
      {container::label::lock, fs::absolute(request.state_folder / "controller.lock").string()}};
}

constexpr char glance_mark[] = "-glance-";

// Those of controllers that died while they looked: their lock is the one that we hold.
Task<> remove_dead_glances(const SiteRequest& request) {
  std::map<std::string, std::string> labels = orphan_labels(request);
  labels.erase(container::label::uid);
  for (const container::ContainerSummary& one : co_await request.engine->list(labels))
    if (one.name.find(glance_mark) != one.name.npos) co_await request.engine->remove(one.id, true);
}

// A container that is created and never started shows what the engine sees below our folder, and
// the image's passwd file.
struct Glance {
  std::string nonce, passwd;
};
Task<Glance> glance(const SiteRequest& request, const container::ImageInfo& image,
                    const fs::path& folder) {
  container::Engine& engine = *request.engine;
  container::ContainerSpec spec;
  spec.name = "cctl-" + request.uid.substr(0, 8) + glance_mark + campaign::draw_uid().substr(0, 8);
  spec.image = image.id;
  spec.command = {"true"};
  spec.network = "none";
  spec.labels = orphan_labels(request);
  spec.mounts = {{.source = folder.string(), .target = "/campaign/glance", .read_only = true}};
  const std::string id = co_await engine.create(spec);
  Glance seen;
  std::string failure;
  try {
    seen.nonce = co_await engine.read_archive(id, "/campaign/glance/nonce");
  } catch (const container::EngineError& error) {
    if (error.unreachable()) failure = error.what();
  }
  try {
    seen.passwd = co_await engine.read_archive(id, "/etc/passwd");
  } catch (const container::EngineError& error) {
    if (error.unreachable()) failure = error.what();
  }
  co_await engine.remove(id, true);
  if (!failure.empty()) throw environment_error("the container engine went away: " + failure);
  co_return seen;
}

Task<SiteImage> prepare_image(const SiteRequest& request, const Site& site,
                              container::ImageInfo info) {
  const fs::path folder = request.state_folder / "glance";
  const std::string nonce = campaign::draw_uid();
  campaign::make_private_folders(folder);
  campaign::write_atomically(folder / "nonce", nonce);
  std::string reason;
  Glance seen;
  try {
    seen = co_await glance(request, info, folder);
  } catch (const container::EngineError& error) {
    reason = error.what();
  }
  if (seen.nonce != nonce)
    throw environment_error(
        "this engine does not see " + request.state_folder.string() +
        (reason.empty() ? "" : " (" + reason + ")") +
        "\n  campaigns need an engine on this host, or io.state_dir and io.results_dir on a file "
        "system that both mount at the same path");
  SiteImage image{.info = std::move(info)};
  image.launcher = runs_here(image.info.architecture);
  if (!has_user(seen.passwd, site.user.substr(0, site.user.find(':')))) {
    const fs::path passwd =
        request.state_folder / ("passwd-" + image.info.identity().substr(0, 16));
    campaign::write_atomically(passwd, seen.passwd + passwd_line(site), fs::perms{0444});
    image.passwd = passwd.string();
  }
  co_return image;
}

}  // namespace

fs::path own_launcher() {
  std::error_code error;
  const fs::path self = fs::read_symlink("/proc/self/exe", error);
  for (const fs::path& candidate : {self.parent_path() / "campaignctl-launch",
                                    self.parent_path() / "../libexec/campaignctl-launch",
                                    self.parent_path() / "container/launcher/campaignctl-launch"})
    if (access(candidate.c_str(), X_OK) == 0) return fs::weakly_canonical(candidate);
  throw environment_error("campaignctl-launch is not beside " + self.string() +
                          ": install it there");
}

fs::path install_launcher(const fs::path& folder) {
  const std::string content = campaign::read_file(own_launcher());
  const fs::path copy = folder / ("launch-" + std::to_string(std::hash<std::string>{}(content)));
  std::error_code error;
  if (fs::file_size(copy, error) == content.size() && !error) return copy;
  campaign::write_atomically(copy, content, fs::perms{0755});
  return copy;
}

Task<Site> prepare_site(const SiteRequest& request) {
  Site site;
  site.info = co_await engine_info(*request.engine);
  if (site.info.userns_remap)
    throw environment_error(
        "the engine remaps user ids (userns-remap): results would belong to nobody here"
        "\n  use an engine without userns-remap, or a rootless one");
  site.gpu_host = gpu_host(site.info);
  site.user =
      site.info.rootless ? "0:0" : std::to_string(getuid()) + ":" + std::to_string(getgid());
  site.user_name = caller_name();
  site.launcher = install_launcher(request.state_folder).string();
  co_await remove_dead_glances(request);
  std::map<std::string, SiteImage> by_id;
  for (const auto& [name, policy] : request.images) {
    container::ImageInfo info = co_await resolve_image(request, name, policy);
    const std::string id = info.id;
    if (!by_id.contains(id)) by_id[id] = co_await prepare_image(request, site, std::move(info));
    site.images[name] = by_id[id];
    if (!by_id[id].launcher)
      request.note("image " + name +
                   " is for another architecture: our launcher cannot run in it, the engine's own "
                   "answers are used");
  }
  co_return site;
}

}  // namespace controller
