// A display that shows nothing, for tests that look at one of its sides.
#pragma once

#include "controller/progress/progress.hpp"

namespace controller::test {

class SilentProgress : public Progress {
 public:
  void note(const std::string&) override {}
  void run_started(const std::string&, int) override {}
  void run_ended(const Ended&) override {}
  void tick(const ProgressState&) override {}
  void finish() override {}
};

}  // namespace controller::test
