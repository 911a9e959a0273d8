#include "controller/gpu/lease.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <nlohmann/json.hpp>

#include "campaign/state/descriptor.hpp"
#include "campaign/state/files.hpp"
#include "controller/gpu/discover.hpp"

namespace controller::gpu {
namespace {

namespace fs = std::filesystem;
using campaign::Descriptor;
using campaign::throw_errno;

constexpr mode_t everybody_reads = 0644;
constexpr std::size_t longest_text = 4096;
constexpr int tries = 10;

fs::path path_of(const fs::path& folder, std::string uuid) {
  std::replace(uuid.begin(), uuid.end(), '/', '_');
  return folder / ("campaignctl-" + uuid);
}

void wait_an_instant() {
  const timespec instant{0, 2'000'000};
  nanosleep(&instant, nullptr);
}

// O_NONBLOCK, lest a pipe that someone put there holds us up.
Descriptor open_existing(const fs::path& path, int access) {
  return Descriptor(open(path.c_str(), access | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
}

// Another user's file cannot be opened with O_CREAT in a sticky folder (fs.protected_regular), and
// one that was made an instant ago may not have its mode yet.
Descriptor open_or_make(const fs::path& path) {
  for (int i = 0; i < tries; ++i) {
    Descriptor made(open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, everybody_reads));
    if (made) {
      if (fchmod(made.get(), everybody_reads) != 0) throw_errno("cannot share", path);
      return made;
    }
    if (errno != EEXIST) throw_errno("cannot make the lease", path);
    Descriptor found = open_existing(path, O_RDWR);
    if (!found && errno == EACCES) found = open_existing(path, O_RDONLY);
    if (found) return found;
    if (errno != EACCES && errno != ENOENT) throw_errno("cannot open the lease", path);
    wait_an_instant();
  }
  throw_errno("cannot open the lease (its owner or root can: chmod 0644)", path);
}

struct stat status_of(int fd, const fs::path& path) {
  struct stat info{};
  if (fstat(fd, &info) != 0) throw_errno("cannot look at", path);
  if (!S_ISREG(info.st_mode)) {
    errno = EINVAL;
    throw_errno("no ordinary file; remove it", path);
  }
  return info;
}

bool still_there(const struct stat& opened, const fs::path& path) {
  struct stat named{};
  return lstat(path.c_str(), &named) == 0 && named.st_ino == opened.st_ino &&
         named.st_dev == opened.st_dev;
}

// Someone who asks who holds it locks it for an instant; that is waited out.
bool lock_exclusively(int fd, const fs::path& path) {
  for (int i = 0; i < tries; ++i) {
    if (flock(fd, LOCK_EX | LOCK_NB) == 0) return true;
    if (errno != EWOULDBLOCK && errno != EINTR) throw_errno("cannot lock", path);
    wait_an_instant();
  }
  return false;
}

// The process that locked the file, 0 = not told (it is in another pid namespace).
std::int64_t locking_process(const struct stat& file) {
  std::array<char, 64> wanted{};
  std::snprintf(wanted.data(), wanted.size(), "%02x:%02x:%llu ", major(file.st_dev),
                minor(file.st_dev), static_cast<unsigned long long>(file.st_ino));
  std::ifstream locks("/proc/locks");
  for (std::string line; std::getline(locks, line);) {
    const std::size_t place = line.find(wanted.data());
    if (place == std::string::npos || place == 0 || line[place - 1] != ' ' ||
        line.find(" FLOCK ") == std::string::npos || line.find("->") != std::string::npos)
      continue;
    const std::size_t before = line.find_last_of(' ', place - 2);
    return std::strtoll(line.c_str() + before, nullptr, 10);
  }
  return 0;
}

struct Named {
  campaign::Holder holder;
  std::string campaign;
  std::string text() const {
    return holder.text() + (campaign.empty() ? "" : ", campaign " + campaign);
  }
};

Named myself(const std::string& campaign, const campaign::Clock& clock) {
  std::array<char, 256> host{};
  gethostname(host.data(), host.size() - 1);
  Named me{.holder = {}, .campaign = campaign};
  me.holder.host = host.data();
  me.holder.pid = getpid();
  me.holder.boot = clock.boot_id();
  if (const char* job = std::getenv("SLURM_JOB_ID")) me.holder.job = job;
  me.holder.since = campaign::rfc3339(clock.utc(), 0);
  return me;
}

std::string json_of(const Named& named) {
  const nlohmann::ordered_json object = {
      {"host", named.holder.host}, {"pid", named.holder.pid},     {"boot", named.holder.boot},
      {"job", named.holder.job},   {"since", named.holder.since}, {"campaign", named.campaign}};
  return object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

// What the file says, "" in all members when that is nothing.
Named read_named(int fd) {
  std::string text(longest_text, '\0');
  const ssize_t size = pread(fd, text.data(), text.size(), 0);
  text.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
  const auto object = nlohmann::json::parse(text, nullptr, false);
  Named named;
  if (!object.is_object()) return named;
  try {
    named.holder.host = object.value("host", "");
    named.holder.pid = object.value("pid", std::int64_t{0});
    named.holder.boot = object.value("boot", "");
    named.holder.job = object.value("job", "");
    named.holder.since = object.value("since", "");
    named.campaign = object.value("campaign", "");
  } catch (const nlohmann::json::exception&) {
    return {};
  }
  return named;
}

std::string holder_words(int fd, const struct stat& file) {
  const Named written = read_named(fd);
  const std::int64_t pid = locking_process(file);
  if (pid > 0 && pid == written.holder.pid) return written.text();
  if (pid <= 0)
    return "another process" +
           (written.holder.pid == 0 ? "" : " (its last known holder: " + written.text() + ")");
  std::vector<DeviceProcess> process{{.pid = pid, .name = "", .user = "", .memory = {}}};
  name_processes(process);
  return "pid " + std::to_string(pid) +
         (process[0].name.empty() ? "" : " (" + process[0].name + ")") +
         (process[0].user.empty() ? "" : " of " + process[0].user);
}

class FileLease : public Lease {
 public:
  explicit FileLease(Descriptor file) : file_(std::move(file)) {}

 private:
  Descriptor file_;
};

}  // namespace

fs::path lease_folder(const fs::path& usual) {
  std::error_code ignored;
  const fs::perms perms = fs::status(usual, ignored).permissions();
  const bool everybodys = !ignored && (perms & fs::perms::others_write) != fs::perms::none;
  return everybodys ? usual : "/dev/shm";
}

Lease::Attempt Lease::take(const Request& request, const campaign::Clock& clock) {
  const fs::path path = path_of(request.folder, request.uuid);
  for (int i = 0; i < tries; ++i) {
    Descriptor file = open_or_make(path);
    const struct stat opened = status_of(file.get(), path);
    if (!lock_exclusively(file.get(), path))
      return {.lease = nullptr, .holder = holder_words(file.get(), opened)};
    if (!still_there(opened, path)) continue;
    const Named me = myself(request.campaign, clock);
    const std::string text = json_of(me);
    const bool ours = (fcntl(file.get(), F_GETFL) & O_ACCMODE) == O_RDWR;
    if (ours && (ftruncate(file.get(), 0) != 0 || !campaign::write_all(file.get(), text)))
      throw_errno("cannot write", path);
    return {.lease = std::make_unique<FileLease>(std::move(file)), .holder = me.text()};
  }
  errno = EAGAIN;
  throw_errno("someone keeps removing the lease", path);
}

std::optional<std::string> lease_holder(const fs::path& folder, const std::string& uuid) {
  const fs::path path = path_of(folder, uuid);
  const Descriptor file = open_existing(path, O_RDONLY);
  if (!file && (errno == ENOENT || errno == ENOTDIR)) return std::nullopt;
  if (!file) throw_errno("cannot open the lease", path);
  const struct stat info = status_of(file.get(), path);
  if (flock(file.get(), LOCK_SH | LOCK_NB) == 0) return std::nullopt;
  return holder_words(file.get(), info);
}

}  // namespace controller::gpu
