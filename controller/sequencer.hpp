// Draws runs and carries them through their stages, with as many workers as the campaign says,
// until all are done, a limit pauses the campaign, or it is asked to stop.
#pragma once

#include <deque>

#include "controller/draw.hpp"
#include "controller/settle.hpp"
#include "controller/stages/stage.hpp"

namespace controller {

using AttemptPtr = std::unique_ptr<Attempt>;

struct SequencerInput {
  RunContext* context = nullptr;
  std::vector<AttemptPtr> recovered;  // taken up from a dead controller; carried out first
  std::set<std::size_t> selected;     // --only; empty = all
  bool pilot_only = false;
};

struct SequenceEnd {
  std::string paused;        // a failure limit, "" = none
  std::string disk;          // no space left: where
  std::exception_ptr fatal;  // journal or engine lost; anything else is a bug
};

class Sequencer {
 public:
  explicit Sequencer(SequencerInput input);
  Task<SequenceEnd> run();
  ProgressState progress() const;

 private:
  Task<> work(int worker);
  Task<> guarded_work(int worker);
  Task<AttemptPtr> next_attempt(int worker);
  AttemptPtr take_recovered(int worker);
  // One to carry out, or what is waited for until there is one.
  struct Next {
    AttemptPtr attempt;
    bool nothing_left = false;
    Wait wait;
  };
  Next draw(int worker, bool look_ahead);
  AttemptPtr make_attempt(std::size_t index, int worker);
  AttemptPtr make_pilot(std::uint32_t experiment, int worker);
  Task<bool> begin(Attempt& attempt);
  void put_back(const Attempt& attempt);
  Task<std::string> lease_devices(Attempt& attempt);
  bool may_begin(const Attempt& attempt) const;
  bool enters(int cycle) const;
  bool pauses_without(const Attempt& attempt, const std::string& why);
  void claim(Attempt& attempt);
  bool crosses(const Attempt& attempt) const;
  bool prepares_ahead() const;
  Task<> carry_out(AttemptPtr attempt);
  Task<bool> get_ready(Attempt& attempt, Part part);
  Task<bool> measure(Attempt& attempt);
  Task<> finish(AttemptPtr attempt);
  Task<> finish_in_background(AttemptPtr attempt);
  Task<> stand_back();
  Task<> settled_before();
  Task<> prepare_ahead(int worker);
  Task<> release(Attempt& attempt);
  void fail_early(Attempt& attempt, campaign::FailureClass cls, const std::string& why);
  void settle(const Attempt& attempt);
  void tell(const Attempt& attempt);
  void weigh(const Attempt& attempt, bool failed);
  void take_up_streaks();
  void skip_rest(std::uint32_t experiment, const std::string& reason);
  void check_room();
  void fatal(const std::exception_ptr& failure);

  RunContext& context_;
  const campaign::Plan& plan_;
  const campaign::Fold& fold_;
  DrawOrder order_;
  std::deque<AttemptPtr> recovered_;
  std::deque<std::uint32_t> pilots_;
  std::set<std::size_t> in_flight_;
  int pilots_in_flight_ = 0;
  bool pilot_only_;
  std::vector<AttemptPtr> ahead_;  // per worker: prepared, waits for its turn
  std::vector<bool> preparing_;    // per worker
  int background_ = 0;             // attempts that are being finished beside the workers
  int working_ = 0;
  std::uint32_t last_experiment_ = 0;
  bool drawn_any_ = false;
  FailureStreaks streaks_;
  std::vector<campaign::Runner> runners_;  // per experiment: effective
  std::size_t completed_ = 0, failed_ = 0, skipped_ = 0;
  double begin_ = 0;
  SequenceEnd end_;
};

}  // namespace controller
