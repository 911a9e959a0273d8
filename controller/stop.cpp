#include "controller/stop.hpp"

#include <cstring>

namespace controller {

void Stop::raise(StopLevel level, const std::string& reason) {
  if (level <= level_) return;
  level_ = level;
  if (reason_.empty()) reason_ = reason;
  wake_.notify();
}

void Stop::on_signal(int signal) {
  if (signal_ == 0) signal_ = signal;
  raise(level_ < StopLevel::now ? StopLevel::now : StopLevel::kill,
        std::string("signal ") + strsignal(signal));
}

}  // namespace controller
