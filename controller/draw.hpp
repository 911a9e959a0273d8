// Which run comes next: a pure decision over the plan and the fold. Plan order; a retry is due
// after its back-off at the end of its own cycle, others are drawn meanwhile; barriers between
// cycles stand with one worker and where a cycle gap is written.
#pragma once

#include <set>
#include <vector>

#include "campaign/plan/plan.hpp"
#include "campaign/state/fold.hpp"

namespace controller {

struct Drawn {
  enum class Kind {
    run,          // `index` into plan.runs
    wait_until,   // a retry's back-off: `until_utc`, or a change of state before
    wait_others,  // runs of this cycle are under way
    done
  } kind = Kind::done;
  std::size_t index = 0;
  double until_utc = 0;
  bool next_round = false;  // it is of a later cycle than runs that are still under way
};

class DrawOrder {
 public:
  struct Rules {
    bool barrier = true;
    bool by_experiment = false;  // grouped: a round is an experiment's cycles, not a cycle
  };
  // `selected`: indices that may be drawn (--only); empty = all. The plan and fold outlive this.
  DrawOrder(const campaign::Plan& plan, const campaign::Fold& fold, Rules rules);
  void select_only(std::set<std::size_t> selected);

  // `in_flight`: indices drawn and not yet settled. `look_ahead`: may cross a barrier, for
  // preparation only.
  Drawn next(const std::set<std::size_t>& in_flight, double now_utc, bool look_ahead);

  const std::string& id(std::size_t index) const { return ids_[index]; }

 private:
  // Indices of runs in plan order. Those before `begin`, and some behind it, are over for good and
  // are dropped as time permits: drawing stays quick behind a run that waits for its retry.
  struct Round {
    std::vector<std::uint32_t> runs;
    std::size_t begin = 0;
  };
  using InFlight = std::set<std::size_t>;
  Drawn next_in(Round& round, const InFlight& in_flight, double now_utc) const;
  Drawn look_through(const Round& round, const InFlight& in_flight, std::size_t& passed) const;
  bool settled(Round& round, const InFlight& in_flight) const;
  bool over(std::size_t index, const InFlight& in_flight) const;
  bool eligible(std::size_t index) const;

  const campaign::Fold& fold_;
  Rules rules_;
  std::vector<std::string> ids_;
  std::vector<Round> rounds_;
  std::size_t first_open_ = 0;  // rounds before it are settled for good
  std::set<std::size_t> selected_;
};

}  // namespace controller
