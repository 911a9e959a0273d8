// What a person sees while a campaign runs. The session tells; implementations show: a live display
// on a terminal, plain lines elsewhere, nothing with --quiet. Called from the controller's thread
// only; must return at once.
#pragma once

#include <memory>
#include <string>

#include "campaign/state/fold.hpp"
#include "campaign/state/journal.hpp"
#include "controller/progress/wait.hpp"

namespace controller {

// The campaign as it stands; cheap to copy.
struct ProgressState {
  std::string campaign, session;
  std::size_t total = 0, completed = 0, failed = 0, skipped = 0, running = 0;
  int cycle = 0, cycles = 0;
  double elapsed = 0;  // seconds since this controller started
  double eta = -1;     // seconds, < 0 = unknown
  struct Worker {
    int id = 0;
    std::string run, stage;
    double since_utc = 0;
  };
  std::vector<Worker> workers;
  Wait wait;
};

class Progress {
 public:
  virtual ~Progress() = default;
  virtual void note(const std::string& line) = 0;  // something worth a line: a notice, a warning
  virtual void run_started(const std::string& run, int attempt) = 0;
  // text: "ok" or the failure with its class and where its log is; seconds: start to exit
  struct Ended {
    std::string run;
    int attempt = 1;
    bool ok = true;
    double seconds = 0;
    std::string text;
    std::string invalid;  // of one that is ok: why its figures do not count
  };
  virtual void run_ended(const Ended& ended) = 0;
  virtual void tick(const ProgressState& state) = 0;  // at each change, and about once a second
  virtual void finish() = 0;                          // leaves the terminal as it was
};

// Shows nothing.
class QuietProgress : public Progress {
 public:
  void note(const std::string&) override {}
  void run_started(const std::string&, int) override {}
  void run_ended(const Ended&) override {}
  void tick(const ProgressState&) override {}
  void finish() override {}
};

// `fd` is borrowed. Never blocks on it: what a stopped terminal does not take is kept (lines) or
// dropped (frames).
std::unique_ptr<Progress> make_live_progress(  // for a terminal
    int fd, bool color, const campaign::Clock& clock = campaign::system_clock());
std::unique_ptr<Progress> make_line_progress(  // plain lines
    int fd, const campaign::Clock& clock = campaign::system_clock());

}  // namespace controller
