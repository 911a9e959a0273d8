#include "campaign/state/files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <system_error>

#include "campaign/state/descriptor.hpp"

namespace campaign {

namespace {

namespace fs = std::filesystem;

// A temp file beside its target, gone unless it was renamed.
class Temporary {
 public:
  explicit Temporary(const fs::path& target) {
    static std::atomic<unsigned> counter{0};
    path_ = target.parent_path() /
            ("." + target.filename().string() + "." + std::to_string(::getpid()) + "." +
             std::to_string(counter++) + ".tmp");
    ::unlink(path_.c_str());
    file_ = Descriptor(
        ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!file_) throw_errno("cannot create", path_);
  }
  ~Temporary() {
    if (!renamed_) ::unlink(path_.c_str());
  }
  void fill(const std::string& content, const fs::path& target) const {
    if (!write_all(file_.get(), content)) throw_errno("cannot write", target);
    if (::fsync(file_.get()) != 0) throw_errno("cannot make durable", target);
  }
  void set_mode(fs::perms mode, const fs::path& target) const {
    if (::fchmod(file_.get(), static_cast<mode_t>(mode)) != 0)
      throw_errno("cannot set the mode of", target);
  }
  void rename_to(const fs::path& target) {
    if (::rename(path_.c_str(), target.c_str()) != 0) throw_errno("cannot replace", target);
    renamed_ = true;
  }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
  Descriptor file_;
  bool renamed_ = false;
};

fs::path folder_of(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

}  // namespace

Descriptor::~Descriptor() {
  if (fd_ >= 0) ::close(fd_);
}

void throw_errno(const std::string& what, const fs::path& path) {
  throw std::system_error(errno, std::generic_category(), what + " " + path.string());
}

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

void write_atomically(const fs::path& path, const std::string& content, fs::perms mode) {
  Temporary temporary(path);
  if (mode != private_file) temporary.set_mode(mode, path);
  temporary.fill(content, path);
  temporary.rename_to(path);
  sync_folder(folder_of(path));
}

void write_exclusively(const fs::path& path, const std::string& content) {
  const Temporary temporary(path);
  temporary.fill(content, path);
  if (::link(temporary.path().c_str(), path.c_str()) != 0) throw_errno("cannot create", path);
  sync_folder(folder_of(path));
}

std::string read_file(const fs::path& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) throw_errno("cannot read", path);
  struct stat status{};
  std::string text;
  if (::fstat(file.get(), &status) == 0 && status.st_size > 0) {
    text.reserve(static_cast<std::size_t>(status.st_size) + 1);
  }
  constexpr std::size_t block = std::size_t{1} << 18;
  while (true) {
    const std::size_t size = text.size();
    text.resize(size + std::max<std::size_t>(block, text.capacity() - size));
    const ssize_t n = ::read(file.get(), text.data() + size, text.size() - size);
    if (n < 0 && errno != EINTR) throw_errno("cannot read", path);
    text.resize(size + static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
    if (n == 0) return text;
  }
}

void sync_folder(const fs::path& folder) {
  const Descriptor file(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!file) throw_errno("cannot open", folder);
  if (::fsync(file.get()) != 0 && errno != EINVAL) throw_errno("cannot make durable", folder);
}

void make_private_folders(const fs::path& folder) {
  if (folder.empty() || fs::is_directory(folder)) return;
  make_private_folders(folder.parent_path());
  if (::mkdir(folder.c_str(), 0700) == 0) {
    sync_folder(folder_of(folder));
    return;
  }
  if (errno == EEXIST && fs::is_directory(folder)) return;
  throw_errno("cannot create the folder", folder);
}

void make_scratch_folders(const fs::path& folder) {
  if (::mkdir(folder.c_str(), 0700) == 0) return;
  if (errno == ENOENT) {
    make_private_folders(folder.parent_path());
    if (::mkdir(folder.c_str(), 0700) == 0) return;
  }
  if (errno == EEXIST && fs::is_directory(folder)) return;
  throw_errno("cannot create the folder", folder);
}

void write_scratch(const fs::path& path, const std::string& content) {
  ::unlink(path.c_str());
  const Descriptor file(
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file) throw_errno("cannot create", path);
  if (!write_all(file.get(), content)) throw_errno("cannot write", path);
}

std::string unsafe_ownership(const fs::path& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) return "";
  if (status.st_uid != ::geteuid()) {
    return path.string() + " belongs to user " + std::to_string(status.st_uid) +
           ", not to you (user " + std::to_string(::geteuid()) + "); it is used by its owner only";
  }
  if ((status.st_mode & 022) != 0) {
    return path.string() + " can be written by group or others; chmod go-w " + path.string();
  }
  return "";
}

}  // namespace campaign
