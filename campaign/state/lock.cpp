#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <ctime>

#include "campaign/state/descriptor.hpp"
#include "campaign/state/files.hpp"
#include "campaign/state/members.hpp"

namespace campaign {

namespace {

namespace fs = std::filesystem;

template <class Visitor, class T>
void holder_members(Visitor& visit, T& holder) {
  visit("host", holder.host);
  visit("pid", holder.pid);
  visit("boot", holder.boot);
  visit("job", holder.job);
  visit("since", holder.since);
}

Holder read_holder(const fs::path& path) {
  Holder holder;
  try {
    const std::string text = read_file(path);
    json_text::ObjectReader reader(text);
    holder_members(reader, holder);
  } catch (const std::exception&) {
    return Holder();
  }
  return holder;
}

Holder myself(const Clock& clock) {
  std::array<char, 256> host{};
  ::gethostname(host.data(), host.size() - 1);
  Holder holder;
  holder.host = host.data();
  holder.pid = ::getpid();
  holder.boot = clock.boot_id();
  if (const char* job = std::getenv("SLURM_JOB_ID")) holder.job = job;
  holder.since = rfc3339(clock.utc(), 0);
  return holder;
}

class FileLock : public Lock {
 public:
  explicit FileLock(Descriptor file) : file_(std::move(file)) {}

 private:
  Descriptor file_;
};

// Someone who asks whether the lock is free holds it for an instant; that is waited out.
bool take_exclusively(int fd, const fs::path& path) {
  constexpr int tries = 10;
  for (int i = 0; i < tries; ++i) {
    if (::flock(fd, LOCK_EX | LOCK_NB) == 0) return true;
    if (errno != EWOULDBLOCK && errno != EINTR) throw_errno("cannot lock", path);
    const timespec instant{0, 2'000'000};
    ::nanosleep(&instant, nullptr);
  }
  return false;
}

}  // namespace

std::string Holder::text() const {
  if (pid == 0) return "another controller";
  std::string text = "pid " + std::to_string(pid) + " on " + host;
  if (!job.empty()) text += " in job " + job;
  if (!since.empty()) text += " since " + since;
  return text;
}

Lock::Attempt Lock::take(const fs::path& path, const Clock& clock) {
  make_private_folders(path.parent_path());
  Descriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file) throw_errno("cannot open", path);
  Attempt attempt;
  if (!take_exclusively(file.get(), path)) {
    attempt.holder = read_holder(path);
    return attempt;
  }
  attempt.holder = myself(clock);
  std::string text = "{";
  json_text::ObjectWriter writer(text);
  holder_members(writer, attempt.holder);
  text += "}\n";
  if (::ftruncate(file.get(), 0) != 0 || !write_all(file.get(), text))
    throw_errno("cannot write", path);
  attempt.lock = std::make_unique<FileLock>(std::move(file));
  return attempt;
}

bool lock_is_free(const fs::path& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file && (errno == ENOENT || errno == ENOTDIR)) return true;
  if (!file) throw_errno("cannot open", path);
  return ::flock(file.get(), LOCK_SH | LOCK_NB) == 0;
}

}  // namespace campaign
