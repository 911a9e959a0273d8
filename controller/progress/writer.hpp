// Writes to a descriptor that somebody may have stopped reading, without ever blocking on it for
// long.
#pragma once

#include <string>

namespace controller {

class PatientWriter {
 public:
  explicit PatientWriter(int fd) : fd_(fd) {}
  // Lines are kept in order until they can be written, at most 1 MiB of them: the oldest go first.
  void line(const std::string& text);
  // A frame is written whole and at once, or not at all; false = not.
  bool frame(const std::string& text);
  // Waits up to a second for what is left.
  void finish();

 private:
  void drain(int timeout_ms);
  int fd_;
  std::string pending_;
};

}  // namespace controller
