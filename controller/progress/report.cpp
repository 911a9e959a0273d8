#include "controller/progress/report.hpp"

#include <algorithm>

#include "controller/progress/format.hpp"

namespace controller {
namespace {

constexpr std::size_t bar_width = 20;

std::size_t done_of(const ProgressState& state) {
  return state.completed + state.failed + state.skipped;
}

std::string header(const ProgressState& state, double now_utc, bool color) {
  std::string line = text::painted(state.campaign, text::Paint::bold, color);
  if (state.cycles > 0)
    line += "  cycle " + std::to_string(state.cycle) + " of " + std::to_string(state.cycles);
  line += "  " + text::duration(state.elapsed);
  if (!state.wait.reason.empty()) line += "   waits: " + text_of(state.wait, now_utc);
  return line;
}

std::string bar_line(const ProgressState& state, bool color) {
  const std::size_t done = done_of(state);
  const std::size_t percent = state.total == 0 ? 100 : done * 100 / state.total;
  std::string line =
      text::painted(text::bar(done, state.total, bar_width),
                    state.failed > 0 ? text::Paint::yellow : text::Paint::green, color) +
      " " + std::to_string(percent) + "% (" + std::to_string(done) + "/" +
      std::to_string(state.total) + " runs";
  if (state.failed > 0)
    line += ", " + text::painted(std::to_string(state.failed) + " failed", text::Paint::red, color);
  if (state.skipped > 0) line += ", " + std::to_string(state.skipped) + " skipped";
  line += ")";
  if (state.eta >= 0 && done < state.total) line += "   about " + text::about(state.eta) + " left";
  return line;
}

}  // namespace

std::string ended_text(const Progress::Ended& ended, bool color) {
  std::string line = ended.run;
  if (ended.attempt > 1) line += " attempt " + std::to_string(ended.attempt);
  if (!ended.ok)
    return line + " " + text::painted("failed, " + ended.text, text::Paint::red, color);
  const bool whole_seconds = ended.seconds >= 1 && ended.seconds < 60;
  return line + " " +
         text::painted(ended.text.empty() ? "ok" : ended.text, text::Paint::green, color) + " " +
         (whole_seconds ? text::fixed(ended.seconds, 2) + "s" : text::duration(ended.seconds)) +
         (ended.invalid.empty()
              ? ""
              : ", " + text::painted("invalid: " + ended.invalid, text::Paint::yellow, color));
}

std::string counts_text(const ProgressState& state) {
  std::string line = std::to_string(done_of(state)) + "/" + std::to_string(state.total);
  if (state.failed > 0) line += ", " + std::to_string(state.failed) + " failed";
  if (state.eta >= 0 && done_of(state) < state.total)
    line += ", about " + text::about(state.eta) + " left";
  return line;
}

std::vector<std::string> live_lines(const ProgressState& state, double now_utc, bool color) {
  std::vector<std::string> lines = {header(state, now_utc, color), bar_line(state, color)};
  std::size_t widest = 0;
  for (const ProgressState::Worker& worker : state.workers)
    widest = std::max(widest, text::columns(worker.run));
  for (const ProgressState::Worker& worker : state.workers) {
    if (worker.run.empty()) continue;
    const double since = worker.since_utc > 0 ? std::max(0.0, now_utc - worker.since_utc) : 0;
    lines.push_back("worker " + std::to_string(worker.id) + "  " + worker.run +
                    std::string(widest - text::columns(worker.run), ' ') + "  " +
                    text::painted(worker.stage, text::Paint::cyan, color) + "  " +
                    text::duration(since));
  }
  return lines;
}

}  // namespace controller
