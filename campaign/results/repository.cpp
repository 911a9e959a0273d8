#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <stdexcept>
#include <system_error>

#include "campaign/metrics/text.hpp"
#include "campaign/results/digest.hpp"
#include "campaign/results/placing.hpp"
#include "campaign/state/files.hpp"

#include "campaign/results/results.hpp"

namespace campaign {
namespace {

constexpr std::int64_t largest_record = std::int64_t{16} << 20;
constexpr int longest_hole = 32;

std::vector<std::string> names_below(const std::filesystem::path& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (std::filesystem::directory_iterator at(folder, error), end; !error && at != end;
       at.increment(error))
    names.push_back(at->path().filename().string());
  if (error && error != std::errc::no_such_file_or_directory)
    throw std::system_error(error, folder.string());
  std::sort(names.begin(), names.end());
  return names;
}

RecordReading read_below(const std::filesystem::path& folder, bool must_have_record,
                         const std::function<void(RunRecord&&)>& take) {
  RecordReading out;
  const Fd root = open_folder(folder);
  for (const auto& name : names_below(folder)) {
    const Fd fd = open_regular(root.get(), name + "/run.json");
    const auto shown_as = (folder / name / "run.json").string();
    if (!fd) {
      if (must_have_record || errno != ENOENT)
        out.problems.push_back(shown_as + ": " + std::generic_category().message(errno));
      continue;
    }
    RunRecord record;
    try {
      record = read_run_record(read_all(fd.get(), largest_record));
    } catch (const std::exception& error) {
      out.problems.push_back(shown_as + ": " + error.what());
      continue;
    }
    ++out.records;
    take(std::move(record));
  }
  return out;
}

std::optional<RunRecord> whole_record(const std::filesystem::path& folder) {
  const Fd fd = open_regular(folder / "run.json");
  if (!fd) return std::nullopt;
  try {
    return read_run_record(read_all(fd.get(), largest_record));
  } catch (const std::runtime_error&) {
    return std::nullopt;
  }
}

}  // namespace

std::string attempt_name(const std::string& run, int attempt) {
  return run + ".a" + std::to_string(attempt);
}

std::optional<RunRecord> accepted_record(const ResultsFolder& folder, const std::string& run) {
  const auto raw = folder.raw(run);
  auto record = whole_record(raw);
  if (!record) return std::nullopt;
  if (record->run != run)
    throw std::runtime_error((raw / "run.json").string() + " is the record of " +
                             shown(record->run));
  const AttemptFiles files(raw);
  for (const auto& entry : files.entries()) {
    const auto process = marker_of(entry.path);
    const std::string problem = process ? marker_problem(files, *process) : "";
    if (!problem.empty()) throw std::runtime_error(raw.string() + ": " + problem);
  }
  return record;
}

void supersede(const ResultsFolder& folder, const std::string& run, int attempt) {
  const auto raw = folder.raw(run);
  const auto target = folder.superseded(attempt_name(run, attempt));
  make_durable_folder(target.parent_path());
  if (is_there(raw)) {
    const auto record = whole_record(raw);
    if (record && record->attempt != attempt) {
      if (is_there(target)) return;
      throw std::runtime_error(raw.string() + " holds attempt " + std::to_string(record->attempt) +
                               ", not " + std::to_string(attempt));
    }
    rename_exclusively(raw, target);
  } else if (!is_there(target)) {
    throw std::runtime_error(raw.string() + " is missing: nothing to supersede");
  }
  sync_folder(target.parent_path());
  sync_folder(raw.parent_path());
}

int largest_attempt_on_disk(const ResultsFolder& folder, const std::string& run) {
  const auto record = whole_record(folder.raw(run));
  int largest = record ? record->attempt : 0;
  for (int n = 1; n <= largest + longest_hole; ++n) {
    const auto name = attempt_name(run, n);
    if (is_there(folder.ctl(name)) || is_there(folder.attempt(name)) ||
        is_there(folder.accepting(name)) || is_there(folder.superseded(name)))
      largest = std::max(largest, n);
  }
  return largest;
}

RecordReading read_records(const ResultsFolder& folder,
                           const std::function<void(RunRecord&&)>& take) {
  return read_below(folder.raw(""), true, take);
}

RecordReading read_kept_records(const ResultsFolder& folder,
                                const std::function<void(RunRecord&&)>& take) {
  return read_below(folder.attempt(""), false, take);
}

}  // namespace campaign
