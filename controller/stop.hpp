// How far a controller has been asked to stop. Levels only rise.
#pragma once

#include <string>

#include "controller/wake.hpp"

namespace controller {

enum class StopLevel { none, after_cycle, after_run, now, kill };

class Stop {
 public:
  explicit Stop(Wake& wake) : wake_(wake) {}
  StopLevel level() const { return level_; }
  bool now() const { return level_ >= StopLevel::now; }
  bool no_new_runs() const { return level_ >= StopLevel::after_run; }
  int signal() const { return signal_; }  // the first signal, 0 = asked for otherwise
  const std::string& reason() const { return reason_; }
  void raise(StopLevel level, const std::string& reason);
  // INT, TERM, HUP: the first is `now`, a second is `kill`.
  void on_signal(int signal);

 private:
  Wake& wake_;
  StopLevel level_ = StopLevel::none;
  int signal_ = 0;
  std::string reason_;
};

}  // namespace controller
