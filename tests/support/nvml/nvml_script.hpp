// The script of the stand-in library (nvml_stub.cpp).
//
// The environment variable NVML_STUB names the script. It is read anew when it has changed, so a
// test may change it while a program runs. A line is a word and what belongs to it; "#" begins a
// comment line. Without a script there are no GPUs.
//
//   origin NS                           seconds of the script count from here on, in nanoseconds of
//                                       CLOCK_MONOTONIC; 0 without it
//   driver 550.54.15                    version of the driver
//   cuda 12040                          1000 * major + 10 * minor
//   gpu N KEY=VALUE... [name=TEXT]      a GPU; N from 0 without holes. uuid, minor, total and used
//                                       (bytes), temperature (C), power (mW), sm and
//                                       memory_clock (MHz), utilisation (%), reasons (bits of
//                                       clocks events), slots (> 0: in MIG mode, with room for so
//                                       many instances); set_limit and default_limit (mW),
//                                       persistence and ecc (0, 1), max_graphics, max_memory,
//                                       app_graphics and app_memory (MHz). The name takes the rest
//                                       of the line.
//                                       thermal_rate, power_rate: the share of time for which the
//                                       violation counters grow. energy_step=MS: an energy counter,
//                                       the integral of the power, brought up to date so often;
//                                       energy_start=MJ at the origin; energy_wraps=MJ: it begins
//                                       at 0 again beyond; energy_reset=S: and at this second
//   instance N:S KEY=VALUE...           a MIG instance in slot S of GPU N, likewise
//   process WHERE pid=P [memory=BYTES] [graphics=1] [from=S] [until=S]     WHERE is N or N:S;
//                                       without memory the driver does not account for it
//   error CALL WHERE CODE               this call fails; WHERE is N, N:S or *
//   hang CALL [WHERE]                   this call does not return
//
// A number is "7", or changes with time: "0:7,2.5:30" is 7 and 30 from 2.5 seconds on,
// "sine:MEAN:SWING:PERIOD" goes up and down. A key that a GPU does not have is not supported.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace nvml_stub {

using Keys = std::map<std::string, std::string>;

// A number of the script over the seconds since its origin.
class Series {
 public:
  explicit Series(const std::string& text);
  double at(double seconds) const;
  double integral(double seconds) const;  // from the origin on

 private:
  double angle(double seconds) const;
  double mean_ = 0, swing_ = 0, period_ = 0;
  std::map<double, double> pieces_;  // by their first second
};

struct Script {
  double origin = 0;  // seconds of CLOCK_MONOTONIC
  std::string driver = "550.54.15";
  int cuda = 12040;
  std::map<std::string, Keys> devices;  // by "N" or "N:S"
  std::vector<std::pair<std::string, Keys>> processes;
  std::map<std::string, int> errors;                             // by "CALL WHERE"
  std::set<std::string> hanging;                                 // likewise
  std::map<std::string, std::map<std::string, Series>> numbers;  // by device, key
};
using ScriptPtr = std::shared_ptr<const Script>;

// As it stands now.
ScriptPtr read_script();
// Since its origin.
double seconds_of(const Script& script);
const Series* series_of(const Script& script, const std::string& where, const char* key);
// Millijoules, as the counter stands after its last step; false without such a counter.
bool energy_counter(const Script& script, const std::string& where, unsigned long long& into);
// Between the seconds that it names.
bool is_there(const Keys& process, double now);

}  // namespace nvml_stub
