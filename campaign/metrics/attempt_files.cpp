#include "campaign/metrics/attempt_files.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <limits>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>

#include "campaign/metrics/text.hpp"

namespace campaign {
namespace {

constexpr std::size_t most_entries = 1'000'000;
constexpr int deepest = 64;
constexpr int most_links = 40;

[[noreturn]] void refuse(const std::string& path, const std::string& why) {
  throw UnsafeContent(shown(path) + " " + why);
}

std::vector<std::string> components(const std::string& path) {
  std::vector<std::string> parts;
  for (std::size_t at = 0; at <= path.size();) {
    const auto slash = std::min(path.find('/', at), path.size());
    if (slash > at) parts.push_back(path.substr(at, slash - at));
    at = slash + 1;
  }
  return parts;
}

std::string joined(const std::vector<std::string>& parts) {
  std::string path;
  for (const auto& part : parts) path += (path.empty() ? "" : "/") + part;
  return path;
}

std::string link_target(int root, const std::string& path) {
  std::string target(PATH_MAX, '\0');
  const ssize_t length = ::readlinkat(root, path.c_str(), target.data(), target.size());
  if (length < 0) refuse(path, std::string("cannot be read: ") + std::strerror(errno));
  target.resize(static_cast<std::size_t>(length));
  return target;
}

struct Resolved {
  std::vector<std::string> parts;
  struct stat info{};
};

std::optional<Resolved> resolve(int root, const std::string& path) {
  Resolved out;
  auto todo = components(path);
  std::reverse(todo.begin(), todo.end());
  for (int links = 0; !todo.empty();) {
    const std::string part = std::move(todo.back());
    todo.pop_back();
    if (part == ".") continue;
    if (part == "..") {
      if (out.parts.empty()) refuse(path, "leads out of the results folder");
      out.parts.pop_back();
      continue;
    }
    out.parts.push_back(part);
    const std::string here = joined(out.parts);
    if (::fstatat(root, here.c_str(), &out.info, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
      refuse(path, std::string("cannot be resolved: ") + std::strerror(errno));
    }
    if (!S_ISLNK(out.info.st_mode)) continue;
    if (++links > most_links) refuse(path, "is a chain of links without an end");
    const std::string target = link_target(root, here);
    if (target.starts_with('/')) refuse(path, "is a link to " + shown(target) + ", outside");
    out.parts.pop_back();
    auto more = components(target);
    todo.insert(todo.end(), more.rbegin(), more.rend());
  }
  if (out.parts.empty() && ::fstat(root, &out.info) != 0) return std::nullopt;
  return out;
}

const char* special_kind(mode_t mode) {
  if (S_ISFIFO(mode)) return "is a fifo";
  if (S_ISSOCK(mode)) return "is a socket";
  if (S_ISCHR(mode) || S_ISBLK(mode)) return "is a device";
  return "is neither a file nor a folder";
}

std::vector<std::string> names_in(int folder, const std::string& path) {
  Fd own(::openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(
      own ? ::fdopendir(own.get()) : nullptr, +[](DIR* d) { return ::closedir(d); });
  if (stream) own.release();
  if (!stream) refuse(path, std::string("cannot be read: ") + std::strerror(errno));
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(stream.get())) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
    if (names.size() > most_entries) refuse(path, "has more than a million entries");
  }
  return names;
}

class Walk {
 public:
  explicit Walk(int root) : root_(root) {}

  void folder(int fd, const std::string& path, int depth) {
    if (depth > deepest) refuse(path, "is nested deeper than 64 folders");
    for (const auto& name : names_in(fd, path.empty() ? "the results folder" : path))
      one(fd, name, path.empty() ? name : path + "/" + name, depth);
  }

  std::vector<AttemptEntry> entries;
  std::vector<std::string> dangling;
  std::int64_t bytes = 0;

 private:
  void one(int parent, const std::string& name, const std::string& path, int depth) {
    struct stat info{};
    if (::fstatat(parent, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0)
      refuse(path, std::string("cannot be looked at: ") + std::strerror(errno));
    if (S_ISLNK(info.st_mode)) return link(path);
    if (S_ISREG(info.st_mode)) {
      const auto room = std::numeric_limits<std::int64_t>::max() - bytes;
      bytes += std::min<std::int64_t>(room, info.st_size);
      return keep({path, info.st_size, false});
    }
    if (!S_ISDIR(info.st_mode)) refuse(path, special_kind(info.st_mode));
    keep({path, 0, true});
    const Fd fd(::openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!fd) refuse(path, std::string("cannot be read: ") + std::strerror(errno));
    folder(fd.get(), path, depth + 1);
  }

  void link(const std::string& path) {
    const auto target = resolve(root_, path);
    if (!target) {
      dangling.push_back(path);
      return;
    }
    if (S_ISREG(target->info.st_mode)) return keep({path, target->info.st_size, false});
    if (!S_ISDIR(target->info.st_mode)) refuse(path, special_kind(target->info.st_mode));
    keep({path, 0, true});
  }

  void keep(AttemptEntry entry) {
    if (entries.size() >= most_entries) refuse(entry.path, "is one of more than a million entries");
    entries.push_back(std::move(entry));
  }

  int root_;
};

bool parts_match(const std::vector<std::string>& glob, const std::vector<std::string>& path) {
  std::vector<char> reached(path.size() + 1, 0);
  reached[0] = 1;
  for (const auto& part : glob) {
    std::vector<char> next(path.size() + 1, 0);
    for (std::size_t i = 0; i <= path.size(); ++i) {
      if (part == "**") {
        const bool through = i > 0 && next[i - 1] && !path[i - 1].starts_with('.');
        next[i] = reached[i] || through ? 1 : 0;
      } else if (i > 0 && reached[i - 1]) {
        next[i] =
            ::fnmatch(part.c_str(), path[i - 1].c_str(), FNM_PERIOD | FNM_NOESCAPE) == 0 ? 1 : 0;
      }
    }
    reached = std::move(next);
  }
  return reached[path.size()] != 0;
}

}  // namespace

Fd::Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

Fd& Fd::operator=(Fd&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

int Fd::release() { return std::exchange(fd_, -1); }

Fd::~Fd() {
  if (fd_ >= 0) ::close(fd_);
}

const std::vector<std::string>& reserved_names() {
  static const std::vector<std::string> names = {
      "config.yaml",       "run.json",          "stdout.log",     "stderr.log",
      "server.stdout.log", "server.stderr.log", "telemetry.jsonl"};
  return names;
}

bool is_reserved(const std::string& name) {
  const auto& names = reserved_names();
  return std::find(names.begin(), names.end(), name) != names.end();
}

AttemptFiles::AttemptFiles(const std::filesystem::path& folder) : root_(open_folder(folder)) {
  if (!root_) throw std::system_error(errno, std::generic_category(), folder.string());
  Walk walk(root_.get());
  walk.folder(root_.get(), "", 1);
  entries_ = std::move(walk.entries);
  dangling_ = std::move(walk.dangling);
  bytes_ = walk.bytes;
  std::sort(entries_.begin(), entries_.end(),
            [](const AttemptEntry& a, const AttemptEntry& b) { return a.path < b.path; });
}

bool AttemptFiles::has(const std::string& path) const {
  const auto found = std::lower_bound(
      entries_.begin(), entries_.end(), path,
      [](const AttemptEntry& entry, const std::string& wanted) { return entry.path < wanted; });
  return found != entries_.end() && found->path == path && !found->folder;
}

std::vector<std::string> AttemptFiles::matching_files(const std::string& glob) const {
  std::vector<std::string> paths;
  for (const auto& entry : entries_)
    if (!entry.folder && !is_reserved(entry.path) && glob_matches(glob, entry.path))
      paths.push_back(entry.path);
  return paths;
}

std::vector<std::string> AttemptFiles::matching(const std::string& glob) const {
  std::vector<std::string> paths;
  for (const auto& entry : entries_)
    if (!is_reserved(entry.path) && glob_matches(glob, entry.path)) paths.push_back(entry.path);
  return paths;
}

Fd AttemptFiles::open(const std::string& path) const {
  const auto resolved = resolve(root_.get(), path);
  if (!resolved || resolved->parts.empty()) {
    errno = ENOENT;
    return {};
  }
  Fd folder(::openat(root_.get(), ".", O_PATH | O_DIRECTORY | O_CLOEXEC));
  for (std::size_t i = 0; folder && i + 1 < resolved->parts.size(); ++i)
    folder = Fd(::openat(folder.get(), resolved->parts[i].c_str(),
                         O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  return folder ? open_regular(folder.get(), resolved->parts.back()) : Fd();
}

std::string AttemptFiles::read(const std::string& path, std::int64_t cap) const {
  const Fd fd = open(path);
  if (!fd) refuse(path, std::string("cannot be opened: ") + std::strerror(errno));
  struct stat info{};
  if (::fstat(fd.get(), &info) != 0) refuse(path, "cannot be looked at");
  if (info.st_size > cap)
    refuse(path, "has " + std::to_string(info.st_size) + " bytes; at most " + std::to_string(cap) +
                     " are read");
  try {
    return read_all(fd.get(), cap);
  } catch (const std::system_error& error) {
    refuse(path, std::string("cannot be read: ") + error.what());
  }
}

bool glob_matches(const std::string& glob, const std::string& path) {
  auto parts = components(glob);
  std::erase(parts, ".");
  return parts_match(parts, components(path));
}

Fd open_folder(const std::filesystem::path& folder) {
  return Fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
}

Fd open_regular(int folder, const std::string& name) {
  Fd fd(::openat(folder, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  struct stat info{};
  if (!fd) return fd;
  if (::fstat(fd.get(), &info) == 0 && S_ISREG(info.st_mode)) return fd;
  errno = EINVAL;
  return {};
}

Fd open_regular(const std::filesystem::path& file) { return open_regular(AT_FDCWD, file.string()); }

std::string read_all(int fd, std::int64_t cap) {
  struct stat info{};
  if (::fstat(fd, &info) != 0) throw std::system_error(errno, std::generic_category());
  std::string text;
  text.resize(static_cast<std::size_t>(std::min<std::int64_t>(cap, info.st_size)));
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t got = ::read(fd, text.data() + done, text.size() - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw std::system_error(errno, std::generic_category());
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  text.resize(done);
  return text;
}

}  // namespace campaign
