#include <unistd.h>

#include <chrono>
#include <thread>

#include "controller/cli/commands.hpp"
#include "controller/cli/status_report.hpp"
#include "controller/cli/why.hpp"

namespace controller::cli {
namespace {

constexpr char home_and_clear[] = "\x1b[H\x1b[J";

std::vector<Located> wanted(const Arguments& arguments) {
  const LocateRequest request = locate_request(arguments, arguments.status.campaign);
  if (arguments.status.campaign.empty()) {
    std::vector<Located> alive;
    for (const Located& located : locate_all(request))
      if (controller_is_alive(located)) alive.push_back(located);
    if (alive.size() > 1) return alive;
  }
  return {locate(request)};
}

std::vector<StatusReport> reports(const Arguments& arguments) {
  std::vector<StatusReport> found;
  for (const Located& located : wanted(arguments)) {
    const SessionView view = read_session(located);
    Observation seen = look(view);
    seen.with_runs = arguments.status.runs;
    found.push_back(make_status(seen));
  }
  return found;
}

std::string printed(const std::vector<StatusReport>& found, const Arguments& arguments,
                    const Style& style) {
  const StatusParts parts{.runs = arguments.status.runs, .workers = arguments.status.workers};
  if (arguments.global.json)
    return found.size() == 1 ? status_json(found.front(), parts) : status_json(found, parts);
  std::string out;
  for (const StatusReport& report : found)
    out += (out.empty() ? "" : "\n") + status_text(report, parts, style);
  return out;
}

bool anything_runs(const std::vector<StatusReport>& found) {
  for (const StatusReport& report : found)
    if (report.state == "running" || report.state == "gone") return true;
  return false;
}

// Until nothing runs any more, or the reader is gone.
void watch(const Arguments& arguments, Console& console) {
  const bool redraw = console.out_is_terminal && !arguments.global.json;
  if (redraw) console.out << "\x1b[2J";
  for (;;) {
    const std::vector<StatusReport> found = reports(arguments);
    console.out << (redraw ? home_and_clear : "") << printed(found, arguments, console.style);
    if (!console.out.flush() || !anything_runs(found)) return;
    std::this_thread::sleep_for(std::chrono::duration<double>(*arguments.status.watch));
  }
}

}  // namespace

int status_command(const Arguments& arguments, Console& console) {
  if (!arguments.status.why.empty()) {
    const SessionView view =
        read_session(locate(locate_request(arguments, arguments.status.campaign)));
    const WhyReport report = make_why(view, arguments.status.why);
    console.out << (arguments.global.json ? why_json(report) : why_text(report, console.style));
    return 0;
  }
  if (arguments.status.watch)
    watch(arguments, console);
  else
    console.out << printed(reports(arguments), arguments, console.style);
  return 0;
}

}  // namespace controller::cli
