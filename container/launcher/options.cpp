#include "container/launcher/options.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "container/launcher/window.hpp"

namespace container::launcher {
namespace {

constexpr std::uint64_t smallest_cap = 256, largest_size = 1ULL << 40, largest_echo = 64ULL << 20;

bool read_number(const char* text, std::uint64_t& value, std::uint64_t largest) {
  char* end = nullptr;
  errno = 0;
  if (*text < '0' || *text > '9') return false;
  value = std::strtoull(text, &end, 10);
  return errno == 0 && *end == 0 && value <= largest;
}

std::string take_expression(const char* value, std::string& target) {
  target = value;
  return target.empty() ? "an empty expression matches every line" : Pattern::check(target);
}

// Returns what is wrong with the value of `flag`, or an empty string.
std::string take(const std::string& flag, const char* value, Options& options) {
  std::uint64_t number = 0;
  if (flag == "--run") return options.run = value, "";
  if (flag == "--out") return options.out = value, "";
  if (flag == "--chdir") return options.chdir = value, *value ? "" : "the folder has no name";
  if (flag == "--window-begin") return take_expression(value, options.window_begin);
  if (flag == "--window-end") return take_expression(value, options.window_end);
  if (flag == "--grace")
    return read_seconds(value, options.grace_ns) ? "" : "expected seconds, such as 10 or 0.5";
  if (flag == "--cap") {
    const bool good = read_number(value, options.cap, largest_size) && options.cap >= smallest_cap;
    return good ? "" : "expected bytes, from 256 to 1099511627776";
  }
  if (flag == "--echo")
    return read_number(value, options.echo, largest_echo) ? "" : "expected bytes, up to 67108864";
  if (flag == "--gpu")
    return options.gpus.add(value) ? "" : "expected UUID=FILE, such as GPU-8f1e=/dev/nvidia0";
  if (flag == "--follow-pid") {
    if (!read_number(value, number, 1U << 30) || number == 0) return "expected a process id";
    options.follow_pid = static_cast<int>(number);
    return "";
  }
  return "no such flag";
}

std::string missing(const Options& options) {
  if (options.run.empty()) return "--run RUN.aN is missing";
  if (options.out.empty()) return "--out DIR is missing";
  if (!options.command || !*options.command)
    return "the command is missing: end with -- COMMAND [ARG...]";
  if (!options.logs && !(options.window_begin.empty() && options.window_end.empty()))
    return "--no-logs passes the output by, so --window-begin and --window-end cannot see it";
  return "";
}

bool names_a_mode(const std::string& flag) {
  return flag == "--hold" || flag == "--stop" || flag == "--alive" || flag == "--fence" ||
         flag == "--probe";
}

}  // namespace

bool read_seconds(const char* text, std::int64_t& nanoseconds) {
  char* end = nullptr;
  if (*text < '0' || *text > '9') return false;
  const double seconds = std::strtod(text, &end);
  if (*end != 0 || !(seconds >= 0 && seconds <= 1e8)) return false;
  nanoseconds = static_cast<std::int64_t>(seconds * 1e9);
  return true;
}

Parsed parse_options(int argc, char** argv) {
  if (argc > 1 && names_a_mode(argv[1])) return parse_mode(argc, argv);
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string flag = argv[i];
    if (flag == "--") {
      options.command = argv + i + 1;
      break;
    }
    if (flag == "--version") return ShowVersion{};
    if (flag == "--no-logs") {
      options.logs = false;
      continue;
    }
    if (flag == "--gate") {
      options.gate = true;
      continue;
    }
    if (flag == "--gpus-beside") {
      options.gpus.others_allowed = true;
      continue;
    }
    if (!flag.starts_with("--"))
      return UsageError{"unexpected argument '" + flag + "': the command comes after --"};
    if (i + 1 >= argc) return UsageError{flag + ": its value is missing"};
    const std::string wrong = take(flag, argv[++i], options);
    if (!wrong.empty()) return UsageError{flag + " '" + argv[i] + "': " + wrong};
  }
  const std::string wrong = missing(options);
  if (!wrong.empty()) return UsageError{wrong};
  return options;
}

}  // namespace container::launcher
