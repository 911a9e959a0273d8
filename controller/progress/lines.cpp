#include <algorithm>
#include <vector>

#include "controller/progress/format.hpp"
#include "controller/progress/progress.hpp"
#include "controller/progress/report.hpp"
#include "controller/progress/writer.hpp"

namespace controller {
namespace {

constexpr std::size_t most_waiting = 1000;

class LineProgress final : public Progress {
 public:
  LineProgress(int fd, const campaign::Clock& clock) : writer_(fd), clock_(clock) {}

  void note(const std::string& line) override {
    flush_ended();
    writer_.line(stamp() + line + "\n");
  }
  void run_started(const std::string&, int) override {}
  void run_ended(const Ended& ended) override {
    ended_.push_back(
        {.line = stamp() + ended_text(ended, false), .done = ended.ok ? std::size_t{1} : 0});
    if (ended_.size() == most_waiting) flush_ended();
  }
  void tick(const ProgressState& state) override {
    state_ = state;
    flush_ended();
    const std::string& reason = state.wait.reason;
    // One that is known to end is not worth a line.
    if (reason != wait_ && !reason.empty() && !state.wait.until_utc)
      writer_.line(stamp() + "waits: " + reason + "\n");
    wait_ = reason;
  }
  void finish() override {
    flush_ended();
    writer_.finish();
  }

 private:
  std::string stamp() const { return "[" + text::clock_time(clock_.utc()) + "] "; }

  // The lines of runs wait for the next state, so that each can say how many runs were done with
  // it.
  void flush_ended() {
    std::size_t later = 0;
    for (const EndedLine& one : ended_) later += one.done;
    for (const EndedLine& one : ended_) {
      later -= one.done;
      ProgressState then = state_;
      then.completed -= std::min(then.completed, later);
      writer_.line(one.line + (state_.total > 0 ? " (" + counts_text(then) + ")\n" : "\n"));
    }
    ended_.clear();
  }

  struct EndedLine {
    std::string line;
    std::size_t done = 0;
  };

  PatientWriter writer_;
  const campaign::Clock& clock_;
  ProgressState state_;
  std::string wait_;
  std::vector<EndedLine> ended_;
};

}  // namespace

std::unique_ptr<Progress> make_line_progress(int fd, const campaign::Clock& clock) {
  return std::make_unique<LineProgress>(fd, clock);
}

}  // namespace controller
