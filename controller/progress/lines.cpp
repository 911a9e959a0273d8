#include <optional>

#include "controller/progress/format.hpp"
#include "controller/progress/progress.hpp"
#include "controller/progress/report.hpp"
#include "controller/progress/writer.hpp"

namespace controller {
namespace {

class LineProgress final : public Progress {
 public:
  LineProgress(int fd, const campaign::Clock& clock) : writer_(fd), clock_(clock) {}

  void note(const std::string& line) override {
    flush_ended();
    writer_.line(stamp() + line + "\n");
  }
  void run_started(const std::string&, int) override {}
  void run_ended(const Ended& ended) override {
    flush_ended();
    ended_ = stamp() + ended_text(ended, false);
  }
  void tick(const ProgressState& state) override {
    state_ = state;
    flush_ended();
    if (state.wait != wait_ && !state.wait.empty() && state.wait.find("left") == std::string::npos)
      writer_.line(stamp() + "waits: " + state.wait + "\n");
    wait_ = state.wait;
  }
  void finish() override {
    flush_ended();
    writer_.finish();
  }

 private:
  std::string stamp() const { return "[" + text::clock_time(clock_.utc()) + "] "; }

  // The line of a run waits for the next state, so that its counts include it.
  void flush_ended() {
    if (!ended_) return;
    writer_.line(*ended_ + " (" + counts_text(state_) + ")\n");
    ended_.reset();
  }

  PatientWriter writer_;
  const campaign::Clock& clock_;
  ProgressState state_;
  std::string wait_;
  std::optional<std::string> ended_;
};

class QuietProgress final : public Progress {
 public:
  void note(const std::string&) override {}
  void run_started(const std::string&, int) override {}
  void run_ended(const Ended&) override {}
  void tick(const ProgressState&) override {}
  void finish() override {}
};

}  // namespace

std::unique_ptr<Progress> make_line_progress(int fd, const campaign::Clock& clock) {
  return std::make_unique<LineProgress>(fd, clock);
}

std::unique_ptr<Progress> make_quiet_progress() { return std::make_unique<QuietProgress>(); }

}  // namespace controller
