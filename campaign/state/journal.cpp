#include "campaign/state/journal.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "campaign/state/descriptor.hpp"
#include "campaign/state/files.hpp"
#include "campaign/state/writer_name.hpp"

namespace campaign {

namespace {

namespace fs = std::filesystem;

constexpr std::int64_t reserve = 64 * 1024;

template <class T>
constexpr bool ends_something =
    std::is_same_v<T, event::Exited> || std::is_same_v<T, event::Completed> ||
    std::is_same_v<T, event::Failed> || std::is_same_v<T, event::Interrupted> ||
    std::is_same_v<T, event::Released> || std::is_same_v<T, event::Paused> ||
    std::is_same_v<T, event::Drained> || std::is_same_v<T, event::Finished> ||
    std::is_same_v<T, event::CleanupDone>;

bool may_use_reserve(const std::vector<Event>& events) {
  return std::all_of(events.begin(), events.end(), [](const Event& event) {
    return std::visit([]<class T>(const T&) { return ends_something<T>; }, event);
  });
}

bool means_full(int error) { return error == ENOSPC || error == EDQUOT; }

class JournalFile : public Journal {
 public:
  JournalFile(Descriptor file, fs::path path, const Clock& clock)
      : file_(std::move(file)), path_(std::move(path)), clock_(clock), writer_(path_.stem()) {}

  ~JournalFile() override {
    if (error_ == 0 && ::ftruncate(file_.get(), end_) != 0) error_ = errno;
  }

  std::int64_t append(const std::vector<Event>& events) override;
  const std::string& writer() const override { return writer_; }
  const std::vector<Record>& last_appended() const override { return last_; }
  std::int64_t offset() const override { return end_; }

 private:
  void set_aside(std::int64_t size, bool into_reserve);
  void write(const std::string& text);
  [[noreturn]] void fail(const char* what, int error) const {
    throw JournalError(std::string(what) + " " + path_.string() + ": " + std::strerror(error),
                       error);
  }
  std::vector<Record> records_of(const std::vector<Event>& events) const;

  Descriptor file_;
  fs::path path_;
  const Clock& clock_;
  std::string writer_;
  std::vector<Record> last_;
  std::int64_t seq_ = 0;
  std::int64_t end_ = 0;
  std::int64_t allocated_ = 0;
  bool allocates_ = true;
  int error_ = 0;
};

std::vector<Record> JournalFile::records_of(const std::vector<Event>& events) const {
  std::vector<Record> records;
  records.reserve(events.size());
  for (const Event& event : events) {
    Record record;
    record.seq = seq_ + static_cast<std::int64_t>(records.size()) + 1;
    record.writer = writer_;
    record.t = rfc3339(clock_.utc(), 6);
    record.mono_ns = clock_.monotonic_ns();
    record.boot = clock_.boot_id();
    record.event = event;
    records.push_back(std::move(record));
  }
  return records;
}

std::int64_t JournalFile::append(const std::vector<Event>& events) {
  if (error_ != 0) fail("an earlier write failed:", error_);
  if (events.empty()) return seq_;
  std::vector<Record> records = records_of(events);
  std::string text;
  for (Record& record : records) {
    std::string boot = record.boot;
    if (record.seq > 1) record.boot.resize(std::min<std::size_t>(record.boot.size(), 8));
    text += encode_record(record);
    text += '\n';
    record.boot = std::move(boot);
  }
  set_aside(static_cast<std::int64_t>(text.size()), may_use_reserve(events));
  write(text);
  seq_ = records.back().seq;
  last_ = std::move(records);
  return seq_;
}

void JournalFile::set_aside(std::int64_t size, bool into_reserve) {
  const std::int64_t wanted = end_ + size + reserve;
  if (!allocates_ || allocated_ >= wanted) return;
  const std::int64_t more = (wanted - allocated_ + reserve - 1) / reserve * reserve;
  int result = 0;
  do {
    result = ::fallocate(file_.get(), 0, allocated_, more);
  } while (result != 0 && errno == EINTR);
  if (result == 0) {
    allocated_ += more;
  } else if (errno == EOPNOTSUPP || errno == ENOSYS) {
    allocates_ = false;
  } else if (!means_full(errno)) {
    fail("cannot reserve room in", errno);
  } else if (!into_reserve || end_ + size > allocated_) {
    fail("cannot write", errno);
  }
}

void JournalFile::write(const std::string& text) {
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t n = ::pwrite(file_.get(), text.data() + done, text.size() - done,
                               end_ + static_cast<std::int64_t>(done));
    if (n >= 0) {
      done += static_cast<std::size_t>(n);
      continue;
    }
    if (errno == EINTR) continue;
    const int error = errno;
    const std::string zeros(done, '\0');
    const bool undone =
        ::pwrite(file_.get(), zeros.data(), done, end_) == static_cast<ssize_t>(done);
    if (!undone || !means_full(error)) error_ = error;
    fail("cannot write", error);
  }
  if (::fdatasync(file_.get()) != 0) {
    error_ = errno;
    fail("cannot make durable:", error_);
  }
  end_ += static_cast<std::int64_t>(text.size());
}

std::string host_for_name() {
  std::array<char, 256> buffer{};
  ::gethostname(buffer.data(), buffer.size() - 1);
  std::string host = buffer.data();
  if (host.size() > 64) host.resize(64);
  for (char& c : host) {
    const bool safe = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '.' || c == '_' || c == '-';
    if (!safe) c = '_';
  }
  return host.empty() || host.front() == '.' ? "host" + host : host;
}

int next_generation(const fs::path& folder) {
  int largest = 0;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() == ".jsonl") {
      largest = std::max(largest, generation_of(entry.path().stem().string()));
    }
  }
  return largest + 1;
}

}  // namespace

JournalError::JournalError(const std::string& what, int code)
    : std::runtime_error(what), error(code) {}

bool JournalError::disk_full() const { return means_full(error); }

std::unique_ptr<Journal> Journal::create(const fs::path& folder, const Clock& clock) {
  make_private_folders(folder);
  const std::string stem =
      host_for_name() + "-" + std::to_string(::getpid()) + "-" + clock.boot_id().substr(0, 8) + "-";
  for (int n = next_generation(folder);; ++n) {
    fs::path path = folder / (stem + std::to_string(n) + ".jsonl");
    Descriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!file && errno == EEXIST) continue;
    const int error = errno;
    if (!file)
      throw JournalError("cannot create " + path.string() + ": " + std::strerror(error), error);
    int result = 0;
    do {
      result = ::fallocate(file.get(), 0, 0, reserve);
    } while (result != 0 && errno == EINTR);
    if (result != 0 && means_full(errno)) {
      const int full = errno;
      ::unlink(path.c_str());
      throw JournalError("cannot reserve room in " + path.string() + ": " + std::strerror(full),
                         full);
    }
    if (::fsync(file.get()) != 0) throw_errno("cannot make durable", path);
    sync_folder(folder);
    return std::make_unique<JournalFile>(std::move(file), std::move(path), clock);
  }
}

}  // namespace campaign
