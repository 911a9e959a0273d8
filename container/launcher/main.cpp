#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <string>
#include <variant>

#include "container/launcher/devices.hpp"
#include "container/launcher/hold.hpp"
#include "container/launcher/options.hpp"
#include "container/launcher/out_folder.hpp"
#include "container/launcher/probe.hpp"
#include "container/launcher/records.hpp"
#include "container/launcher/stop.hpp"
#include "container/launcher/supervisor.hpp"

namespace container::launcher {
namespace {

constexpr int exit_usage = 64, exit_system = 71, exit_devices = 72, exit_output = 74,
              exit_begun = 125;

int fail(int code, const std::string& message) {
  fprintf(stderr, "campaignctl-launch: %s\n", message.c_str());
  return code;
}

// A caller may have closed them, and then the first files opened would become them.
void open_standard_streams() {
  int fd = open("/dev/null", O_RDWR);
  while (fd >= 0 && fd <= STDERR_FILENO) fd = dup(fd);
  if (fd >= 0) close(fd);
}

std::string fate(const Outcome& outcome) {
  return outcome.signal != 0 ? "was ended by signal " + std::to_string(outcome.signal)
                             : "exited with " + std::to_string(outcome.exit_code);
}

// A controller that dies before it opens the gate closes it: nothing has begun then.
bool gate_opens() {
  char byte = 0;
  ssize_t got = 0;
  do got = read(STDIN_FILENO, &byte, 1);
  while (got < 0 && errno == EINTR);
  return got == 1;
}

// What is wrong with the GPUs that the payload is to have. An attempt that has begun already is not
// judged anew.
std::string wrong_devices(const Options& options, OutFolder& folder) {
  if (options.gpus.all.empty() || folder.read("begun")) return "";
  const SeenGpus seen = see_gpus("/");
  const std::string wrong = mismatch(options.gpus, seen);
  folder.publish("devices.json", devices_json(seen, wrong));
  return wrong;
}

int launch(const Options& options) {
  if (options.gate && !gate_opens())
    return fail(exit_begun, "the gate was closed; nothing was started");
  OutFolder folder;
  const std::string no_folder = folder.open(options.out);
  if (!no_folder.empty()) return fail(exit_output, "--out " + options.out + ": " + no_folder);
  const std::string wrong = wrong_devices(options, folder);
  if (!wrong.empty()) return fail(exit_devices, wrong + "; nothing was started");
  Supervisor supervisor(options, folder);
  const std::string unprepared = supervisor.prepare();
  if (!unprepared.empty()) return fail(exit_system, unprepared + "; nothing was started");
  switch (folder.claim("begun", begun_json(options.run))) {
    case OutFolder::Claim::exists:
      return fail(exit_begun, options.run + " has begun already: " + options.out + "/begun exists");
    case OutFolder::Claim::failed:
      return fail(exit_output, "cannot write " + options.out + "/begun: " + folder.error() +
                                   "; nothing was started");
    case OutFolder::Claim::created:
      break;
  }
  const std::string unstarted = supervisor.start();
  if (!unstarted.empty()) return fail(exit_system, unstarted);
  supervisor.wait();
  supervisor.settle();
  const Outcome& outcome = supervisor.outcome();
  const std::string lost = folder.publish("outcome.json", outcome_json(outcome));
  supervisor.echo();
  if (!lost.empty())
    return fail(exit_output, "cannot write " + options.out + "/outcome.json: " + lost +
                                 "; the payload " + fate(outcome) + " and is gone");
  return outcome.signal != 0 ? 128 + outcome.signal : outcome.exit_code;
}

int run_stop(const StopOptions& options) {
  const StopReport report = stop_launched(options);
  if (!report.error.empty()) return fail(exit_output, "--out " + options.out + ": " + report.error);
  fputs(report_json(report).c_str(), stdout);
  if (options.what == StopOptions::What::stop)
    return report.state == StopReport::State::left ? 1 : 0;
  return report.state == StopReport::State::running ? 0
         : report.state == StopReport::State::gone  ? 1
                                                    : 2;
}

int run_probe(const ProbeOptions& options) {
  const std::string why = probe(options);
  return why.empty() ? 0 : fail(1, options.host + ":" + options.port + " is not ready: " + why);
}

}  // namespace
}  // namespace container::launcher

int main(int argc, char** argv) {
  using namespace container::launcher;
  open_standard_streams();
  const Parsed parsed = parse_options(argc, argv);
  if (std::holds_alternative<ShowVersion>(parsed)) {
    puts("campaignctl-launch " LAUNCHER_VERSION);
    return 0;
  }
  if (const auto* error = std::get_if<UsageError>(&parsed)) return fail(exit_usage, error->message);
  if (std::holds_alternative<HoldOptions>(parsed)) return hold();
  if (const auto* stop = std::get_if<StopOptions>(&parsed)) return run_stop(*stop);
  if (const auto* target = std::get_if<ProbeOptions>(&parsed)) return run_probe(*target);
  return launch(*std::get_if<Options>(&parsed));
}
