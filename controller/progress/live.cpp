#include <sys/ioctl.h>

#include <algorithm>
#include <vector>

#include "controller/progress/format.hpp"
#include "controller/progress/progress.hpp"
#include "controller/progress/report.hpp"
#include "controller/progress/writer.hpp"

namespace controller {
namespace {

constexpr std::int64_t frame_ns = 100'000'000;

struct Size {
  std::size_t columns = 80, rows = 24;
};

Size size_of(int fd) {
  winsize size{};
  if (ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return {};
  return {.columns = size.ws_col, .rows = std::max<std::size_t>(size.ws_row, 4)};
}

// Lines of news scroll by above a block that is drawn anew in its place. The cursor is neither
// hidden nor saved, so a controller that is killed leaves a usable terminal.
class LiveProgress final : public Progress {
 public:
  LiveProgress(int fd, bool color, const campaign::Clock& clock)
      : fd_(fd), color_(color), writer_(fd), clock_(clock) {}

  void note(const std::string& line) override { say(line); }
  void run_started(const std::string&, int) override {}
  void run_ended(const Ended& ended) override {
    if (!ended.ok || ended.attempt > 1 || !ended.invalid.empty()) say(ended_text(ended, color_));
  }
  void tick(const ProgressState& state) override {
    state_ = state;
    draw_if_due();
  }
  void finish() override {
    writer_.line(erased());
    drawn_.clear();
    news_lines_.clear();
    writer_.finish();
  }

 private:
  void say(const std::string& line) {
    news_lines_.push_back(line);
    draw_if_due();
  }

  void draw_if_due() {
    const std::int64_t now = clock_.monotonic_ns();
    if (last_frame_ != 0 && now - last_frame_ < frame_ns) return;
    last_frame_ = now;
    draw();
  }

  // Goes to the block's first line and clears from there; a terminal made narrower has wrapped the
  // lines.
  std::string erased() const {
    const Size size = size_of(fd_);
    std::size_t rows = 0;
    for (std::size_t width : drawn_)
      rows += std::max<std::size_t>(1, (width + size.columns - 1) / size.columns);
    std::string sequence = "\r";
    if (rows > 1) sequence += "\x1b[" + std::to_string(rows - 1) + "A";
    sequence += "\x1b[J";
    for (const std::string& line : news_lines_) sequence += line + "\n";
    return drawn_.empty() && news_lines_.empty() ? "" : sequence;
  }

  void draw() {
    const Size size = size_of(fd_);
    std::vector<std::string> lines = live_lines(state_, clock_.utc(), color_);
    if (lines.size() > size.rows - 2) lines.resize(size.rows - 2);
    std::string frame = erased();
    std::vector<std::size_t> drawn;
    for (std::size_t i = 0; i < lines.size(); ++i) {
      const std::string line = text::clipped(lines[i], size.columns - 1);
      drawn.push_back(text::columns(line));
      frame += (i == 0 ? "" : "\n") + line;
    }
    if (!writer_.frame(frame)) return;
    drawn_ = drawn;
    news_lines_.clear();
  }

  int fd_;
  bool color_;
  PatientWriter writer_;
  const campaign::Clock& clock_;
  ProgressState state_;
  std::vector<std::size_t> drawn_;       // columns of the lines of the block on the screen
  std::vector<std::string> news_lines_;  // not yet shown
  std::int64_t last_frame_ = 0;
};

}  // namespace

std::unique_ptr<Progress> make_live_progress(int fd, bool color, const campaign::Clock& clock) {
  return std::make_unique<LiveProgress>(fd, color, clock);
}

}  // namespace controller
