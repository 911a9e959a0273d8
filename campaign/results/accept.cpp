#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <stdexcept>
#include <system_error>

#include "campaign/results/acceptance.hpp"
#include "campaign/results/digest.hpp"
#include "campaign/results/placing.hpp"
#include "campaign/state/files.hpp"

namespace campaign {
namespace {

constexpr const char* moved_in[] = {"config.yaml",       "stdout.log",        "stderr.log",
                                    "server.stdout.log", "server.stderr.log", "telemetry.jsonl"};
constexpr std::int64_t largest_record = std::int64_t{16} << 20;

std::optional<RunRecord> record_in(int folder, const std::string& name = "run.json") {
  const Fd fd = open_regular(folder, name);
  if (!fd) return std::nullopt;
  try {
    return read_run_record(read_all(fd.get(), largest_record));
  } catch (const std::runtime_error&) {
    return std::nullopt;
  }
}

bool same_attempt(const std::optional<RunRecord>& found, const RunRecord& record) {
  return found && found->run == record.run && found->attempt == record.attempt;
}

std::optional<RunRecord> record_at(const std::filesystem::path& path) {
  const Fd folder = open_folder(path.parent_path());
  return folder ? record_in(folder.get(), path.filename()) : std::nullopt;
}

// Everything that accepting and keeping share: where the attempt's things are.
class Step {
 public:
  Step(const CollectRequest& request, const RunRecord& record, const StepHook& reached)
      : request_(request),
        record_(record),
        reached_(reached),
        attempt_(request.folder.attempt(request.attempt)),
        staged_(request.folder.accepting(request.attempt)),
        raw_(request.folder.raw(record.run)) {
    if (request_.collect) add_stage_metrics(record_.metrics, *request_.collect, record_.stages);
  }

 protected:
  std::filesystem::path ours(const std::string& name) const {
    if (name == "telemetry.jsonl") return request_.folder.telemetry(request_.attempt);
    return request_.folder.ctl(request_.attempt) / name;
  }

  void place_ours(int folder, const std::string& name, const std::string& content) const {
    auto temporary = staged_;
    temporary += ".new";
    place({.folder = folder, .name = name, .temporary = temporary}, content, reached_);
  }

  const CollectRequest& request_;
  RunRecord record_;
  const StepHook& reached_;
  const std::filesystem::path attempt_, staged_, raw_;
};

class Acceptance : Step {
 public:
  using Step::Step;

  void run() {
    make_durable_folder(raw_.parent_path());
    make_durable_folder(staged_.parent_path());
    if (already_accepted()) return finish();
    stage();
    const Fd folder = open_folder(staged_);
    if (!folder) throw std::system_error(errno, std::generic_category(), staged_.string());
    place_ours(folder.get(), "run.json", write_run_record(record_));
    take_ours(folder.get());
    const AttemptFiles files(staged_);
    sync_content(files);
    mark(files, folder.get());
    sync_all(folder.get(), staged_);
    rename_exclusively(staged_, raw_);
    reached_("renamed");
    finish();
  }

 private:
  bool already_accepted() const {
    const Fd folder = open_folder(raw_);
    if (!folder && errno == ENOENT) return false;
    if (same_attempt(record_in(folder.get()), record_)) return true;
    throw std::runtime_error(raw_.string() + " already holds another result than attempt " +
                             std::to_string(record_.attempt) + "; supersede it first");
  }

  void stage() const {
    if (is_there(staged_)) return;
    const Fd folder = open_folder(attempt_);
    if (!folder) throw std::system_error(errno, std::generic_category(), attempt_.string());
    for (const auto& name : reserved_names())
      if (is_there(folder.get(), name))
        throw std::runtime_error((attempt_ / name).string() +
                                 ": a name that only the controller writes");
    rename_exclusively(attempt_, staged_);
    reached_("staged");
  }

  void take_ours(int folder) const {
    for (const char* name : moved_in)
      if (move_in(ours(name), folder, name)) reached_(std::string("moved ") + name);
  }

  void sync_content(const AttemptFiles& files) const {
    for (const auto& entry : files.entries()) {
      if (!entry.folder && entry.size == 0) continue;
      const Fd fd = entry.folder ? open_folder(staged_ / entry.path) : files.open(entry.path);
      if (fd) sync_all(fd.get(), staged_ / entry.path);
    }
    reached_("synced");
  }

  void mark(const AttemptFiles& files, int folder) const {
    for (int n = 0; n < request_.processes.value_or(0); ++n) {
      if (files.has(marker_name(n))) continue;
      const Fd result = files.open(result_name(n));
      if (!result)
        throw std::system_error(errno, std::generic_category(),
                                (staged_ / result_name(n)).string());
      place_ours(folder, marker_name(n),
                 write_marker({n, sha256_of(result.get()), rfc3339(record_.finished_utc)}));
    }
    for (const auto& entry : files.entries()) {
      const auto process = marker_of(entry.path);
      const std::string problem = process ? marker_problem(files, *process) : "";
      if (!problem.empty()) throw std::runtime_error(staged_.string() + ": " + problem);
    }
  }

  void finish() const {
    sync_folder(raw_.parent_path());
    reached_("finished");
  }
};

class Keeping : Step {
 public:
  using Step::Step;

  void run() {
    make_durable_folder(staged_.parent_path());
    decide();
    const Fd folder = own_folder();
    for (const char* name : moved_in) {
      if (!open_regular(ours(name))) continue;
      set_aside(folder.get(), name);
      if (move_in(ours(name), folder.get(), name)) reached_(std::string("moved ") + name);
    }
    if (!same_attempt(record_in(folder.get()), record_)) set_aside(folder.get(), "run.json");
    place_ours(folder.get(), "run.json", write_run_record(record_));
    sync_all(folder.get(), attempt_);
    sync_folder(attempt_.parent_path());
    reached_("finished");
  }

 private:
  void decide() const {
    const auto path = request_.folder.keeping(request_.attempt);
    auto temporary = path;
    temporary += ".new";
    make_durable_folder(path.parent_path());
    const Fd folder = open_folder(path.parent_path());
    if (!folder) throw std::system_error(errno, std::generic_category(), path.string());
    place({.folder = folder.get(), .name = path.filename(), .temporary = temporary},
          write_run_record(record_), reached_);
    sync_all(folder.get(), path);
  }

  Fd own_folder() const {
    if (is_there(staged_) && !is_there(attempt_)) rename_exclusively(staged_, attempt_);
    struct stat info{};
    if (::lstat(attempt_.c_str(), &info) == 0) {
      if (!S_ISDIR(info.st_mode))
        rename_aside(attempt_);
      else if ((info.st_mode & 0700) != 0700)
        ::chmod(attempt_.c_str(), info.st_mode | 0700);
    }
    make_durable_folder(attempt_);
    Fd folder = open_folder(attempt_);
    if (!folder) throw std::system_error(errno, std::generic_category(), attempt_.string());
    return folder;
  }

  void set_aside(int folder, const std::string& name) const {
    if (is_there(folder, name)) rename_aside(attempt_ / name);
  }

  void rename_aside(const std::filesystem::path& path) const {
    auto aside = path;
    aside += ".payload";
    for (int n = 2; is_there(aside); ++n) {
      aside = path;
      aside += ".payload." + std::to_string(n);
    }
    rename_exclusively(path, aside);
    reached_("set " + path.filename().string() + " aside");
  }
};

void nothing(const std::string&) {}

}  // namespace

void accept_attempt(const CollectRequest& request, const RunRecord& record,
                    const StepHook& reached) {
  Acceptance(request, record, reached).run();
}

void accept_attempt(const CollectRequest& request, const RunRecord& record) {
  accept_attempt(request, record, StepHook(nothing));
}

void keep_failed_attempt(const CollectRequest& request, const RunRecord& record,
                         const StepHook& reached) {
  Keeping(request, record, reached).run();
}

void keep_failed_attempt(const CollectRequest& request, const RunRecord& record) {
  keep_failed_attempt(request, record, StepHook(nothing));
}

std::optional<RunRecord> decided_record(const ResultsFolder& folder, const std::string& run,
                                        int attempt) {
  const std::string name = attempt_name(run, attempt);
  const RunRecord wanted{.run = run, .attempt = attempt};
  for (const auto& path : {folder.keeping(name), folder.accepting(name) / "run.json"})
    if (auto record = record_at(path); same_attempt(record, wanted)) return record;
  return std::nullopt;
}

void forget_decision(const ResultsFolder& folder, const std::string& attempt) {
  std::error_code left;
  std::filesystem::remove(folder.keeping(attempt), left);
}

}  // namespace campaign
