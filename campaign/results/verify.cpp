#include <sys/stat.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <system_error>

#include "campaign/metrics/text.hpp"
#include "campaign/metrics/warmup.hpp"
#include "campaign/results/digest.hpp"
#include "campaign/results/results.hpp"

namespace campaign {
namespace {

class Verification {
 public:
  Verification(const CollectRequest& request, const Outcome* outcome)
      : request_(request), outcome_(outcome) {
    struct stat info{};
    const auto staged = request.folder.accepting(request.attempt);
    staged_ = ::lstat(staged.c_str(), &info) == 0;
    location_ = staged_ ? staged : request.folder.attempt(request.attempt);
  }

  Verdict run() {
    walk();
    window();
    if (files_) {
      reserved();
      processes();
      markers();
      required();
    }
    metrics();
    return std::move(verdict_);
  }

 private:
  void fail(FailureClass cls, std::string message) {
    if (verdict_.cls != FailureClass::none) return;
    verdict_.cls = cls;
    verdict_.message = std::move(message);
  }

  void walk() {
    try {
      files_.emplace(location_);
    } catch (const UnsafeContent& error) {
      return fail(FailureClass::invalid_result, error.what());
    } catch (const std::system_error& error) {
      return fail(FailureClass::missing_result,
                  std::string("the results folder cannot be read: ") + error.what());
    }
    verdict_.bytes = files_->bytes();
    for (const auto& path : files_->dangling())
      verdict_.notes.push_back(shown(path) + " is a link to nothing");
    const auto cap = request_.collect ? request_.collect->max_bytes : Collect{}.max_bytes;
    if (verdict_.bytes <= cap) return;
    fail(FailureClass::invalid_result, "the results have " + std::to_string(verdict_.bytes) +
                                           " bytes, collect.max_bytes is " + std::to_string(cap));
    files_.reset();
  }

  void window() {
    WindowRequest request{.files = files_ ? &*files_ : nullptr,
                          .process = std::nullopt,
                          .fallback_seconds = request_.process_seconds};
    if (outcome_)
      request.process = ProcessTimes{outcome_->start_mono_ns, outcome_->end_mono_ns,
                                     outcome_->window_begin_ns, outcome_->window_end_ns};
    auto reading = read_window(request);
    verdict_.window = reading.window;
    for (auto& note : reading.notes) verdict_.notes.push_back(std::move(note));
    if (!reading.invalid.empty()) fail(FailureClass::invalid_result, std::move(reading.invalid));
    if (files_ && reading.window.source == MeasureWindow::Source::phase)
      warmup(reading.window.begin_ns);
  }

  void warmup(std::int64_t begin_ns) {
    const WarmupReading reading = read_warmup(*files_, begin_ns);
    if (!reading.variation || reading.converged) return;
    const auto percent = std::lround(*reading.variation * 100);
    verdict_.notes.push_back("the warmup did not converge: the last 5 of " +
                             std::to_string(reading.requests) + " latencies vary by " +
                             std::to_string(percent) + " % (below 5 % is warm)");
  }

  void reserved() {
    if (staged_) return;
    for (const auto& entry : files_->entries()) refuse_reserved(entry.path);
    for (const auto& path : files_->dangling()) refuse_reserved(path);
  }

  void refuse_reserved(const std::string& path) {
    if (is_reserved(path))
      fail(FailureClass::invalid_result,
           "the payload left " + path + ", a name that only the controller writes");
  }

  void processes() {
    const int count = request_.processes.value_or(0);
    for (int n = 0; n < count; ++n) {
      if (files_->has(result_name(n)))
        parse(result_name(n));
      else
        fail(FailureClass::missing_result,
             result_name(n) + " is missing (processes: " + std::to_string(count) + ")");
    }
    if (request_.processes && files_->has(result_name(count)))
      verdict_.notes.push_back(result_name(count) +
                               " is one more than processes: " + std::to_string(count));
  }

  void parse(const std::string& name) {
    try {
      if (!nlohmann::json::accept(files_->read(name, largest_json)))
        fail(FailureClass::invalid_result, name + " is no JSON");
    } catch (const UnsafeContent& error) {
      fail(FailureClass::invalid_result, error.what());
    }
  }

  void markers() {
    if (verdict_.cls != FailureClass::none) return;
    for (const auto& entry : files_->entries()) {
      const auto process = marker_of(entry.path);
      const std::string problem = process ? marker_problem(*files_, *process) : "";
      if (!problem.empty()) fail(FailureClass::invalid_result, problem);
    }
  }

  void required() {
    if (!request_.collect) return;
    for (const auto& glob : request_.collect->required)
      if (files_->matching(glob).empty())
        fail(FailureClass::missing_result,
             "nothing matches " + shown(glob) + " (collect.required)");
  }

  void metrics() {
    Fd log = open_regular(request_.folder.ctl(request_.attempt) / "stdout.log");
    if (!log) log = open_regular(request_.folder.accepting(request_.attempt) / "stdout.log");
    auto extraction = extract_metrics({.collect = request_.collect,
                                       .files = files_ ? &*files_ : nullptr,
                                       .stdout_log = log.get(),
                                       .stages = &request_.stages,
                                       .measure_seconds = verdict_.window.seconds});
    verdict_.metrics = std::move(extraction.metrics);
    for (auto& problem : extraction.problems)
      fail(problem.kind == MetricProblem::Kind::missing ? FailureClass::missing_result
                                                        : FailureClass::invalid_result,
           std::move(problem.message));
  }

  const CollectRequest& request_;
  const Outcome* outcome_;
  std::filesystem::path location_;
  bool staged_ = false;
  std::optional<AttemptFiles> files_;
  Verdict verdict_;
};

}  // namespace

Verdict verify_attempt(const CollectRequest& request, const Outcome* outcome) {
  return Verification(request, outcome).run();
}

}  // namespace campaign
