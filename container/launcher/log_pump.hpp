#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

namespace container::launcher {

class WindowMarks;

// Drains one stream of the payload into a file of bounded size and never stops draining, whatever
// happens to the file. The file gets the first part of the stream as it comes; the last part stays
// in a ring in memory and is appended by finish(), after a line that says how many bytes lie
// between. Where nothing lies between, the file is the stream. The ring is also the read buffer, so
// a byte is copied once.
class LogPump {
 public:
  struct Setup {
    int pipe;              // read end, non-blocking; owned from here on
    std::uint64_t cap;     // bytes, at least 256
    std::uint64_t recall;  // bytes that recall() may be asked for
  };
  explicit LogPump(Setup setup);
  ~LogPump();
  LogPump(const LogPump&) = delete;
  LogPump& operator=(const LogPump&) = delete;

  bool ready() const { return ring_ != nullptr; }  // false: there was no memory for the ring

  void attach(int file) { file_ = file; }  // owned from here on; before the first drain()
  void give_up(std::string error) {
    error_ = std::move(error);
  }  // there is no file; go on draining

  enum class Drain { more, empty, ended };
  // One read and what follows from it. `marks` may be null.
  Drain drain(WindowMarks* marks);
  void finish();  // completes the file; nothing is read after it

  int pipe() const { return pipe_; }
  std::uint64_t bytes() const { return total_; }
  std::uint64_t kept() const { return kept_; }         // bytes of the stream that are in the file
  const std::string& error() const { return error_; }  // why the file is not complete; empty: it is
  std::uint64_t held(std::uint64_t wish) const;  // of the last `wish` bytes, how many there are
  // Calls write(data, length) for the last `count` bytes, at most twice; false from it ends the
  // call.
  template <typename Write>
  bool recall(std::uint64_t count, Write write) const {
    while (count > 0) {
      const std::size_t at = (total_ - count) % size_;
      const std::size_t length = count < size_ - at ? count : size_ - at;
      if (!write(ring_ + at, length)) return false;
      count -= length;
    }
    return true;
  }

 private:
  bool write_file(const char* data, std::size_t length);
  void show_life();  // a file that takes no more bytes still gets a new time, at most each second

  int pipe_, file_ = -1;
  std::string error_;
  std::uint64_t head_, tail_, cap_;
  std::size_t size_;
  char* ring_;
  std::uint64_t total_ = 0, kept_ = 0;
  bool line_open_ = false;  // the file ends inside a line
  std::int64_t life_shown_ns_ = 0;
};

}  // namespace container::launcher
