#include "tests/support/nvml/nvml_script.hpp"

#include <sys/stat.h>
#include <time.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <mutex>
#include <numbers>
#include <sstream>

namespace nvml_stub {

Series::Series(const std::string& text) {
  std::istringstream items(text);
  std::string item;
  if (text.starts_with("sine:")) {
    char colon = 0;
    items.ignore(5);
    items >> mean_ >> colon >> swing_ >> colon >> period_;
  } else if (text.find(':') == std::string::npos) {
    mean_ = std::strtod(text.c_str(), nullptr);
  } else {
    while (std::getline(items, item, ','))
      pieces_[std::strtod(item.c_str(), nullptr)] =
          std::strtod(item.c_str() + item.find(':') + 1, nullptr);
  }
}

double Series::angle(double seconds) const { return 2 * std::numbers::pi * seconds / period_; }

double Series::at(double seconds) const {
  if (pieces_.empty()) return period_ > 0 ? mean_ + swing_ * std::sin(angle(seconds)) : mean_;
  const auto next = pieces_.upper_bound(seconds);
  return next == pieces_.begin() ? next->second : std::prev(next)->second;
}

double Series::integral(double seconds) const {
  if (pieces_.empty())
    return mean_ * seconds + (period_ > 0 ? swing_ * (1 - std::cos(angle(seconds))) / angle(1) : 0);
  double sum = 0, from = 0;
  for (const auto& [begin, value] : pieces_) {
    if (begin <= from) continue;
    if (begin >= seconds) break;
    sum += at(from) * (begin - from);
    from = begin;
  }
  return sum + at(from) * (seconds - from);
}

namespace {

Keys keys_of(std::istringstream& line) {
  Keys keys;
  for (std::string word; line >> word;) {
    const std::size_t equals = word.find('=');
    std::string& value = keys[word.substr(0, equals)];
    value = equals == std::string::npos ? "" : word.substr(equals + 1);
    if (word.compare(0, equals, "name") != 0) continue;
    std::string rest;
    std::getline(line, rest);
    value += rest;
  }
  return keys;
}

void take_line(Script& script, std::istringstream line) {
  std::string word, where;
  line >> word;
  if (word == "driver") {
    line >> script.driver;
  } else if (word == "cuda") {
    line >> script.cuda;
  } else if (word == "origin") {
    line >> script.origin;
    script.origin *= 1e-9;
  } else if (word == "gpu" || word == "instance") {
    line >> where;
    script.devices[where] = keys_of(line);
    for (const auto& [key, value] : script.devices[where])
      script.numbers[where].emplace(key, Series(value));
  } else if (word == "process") {
    line >> where;
    script.processes.emplace_back(where, keys_of(line));
  } else if (word == "error") {
    std::string call;
    int code = 0;
    line >> call >> where >> code;
    script.errors[call + " " + where] = code;
  } else if (word == "hang") {
    std::string call;
    line >> call;
    if (!(line >> where)) where = "*";
    script.hanging.insert(call + " " + where);
  }
}

// Which file it is, and of when.
std::string state_of(const std::string& path) {
  struct stat status{};
  if (stat(path.c_str(), &status) != 0) return path;
  return path + " " + std::to_string(status.st_ino) + " " + std::to_string(status.st_size) + " " +
         std::to_string(status.st_mtim.tv_sec) + "." + std::to_string(status.st_mtim.tv_nsec);
}

}  // namespace

ScriptPtr read_script() {
  static std::mutex mutex;
  static std::string known;
  static ScriptPtr cached;
  const char* name = std::getenv("NVML_STUB");
  const std::string path = name == nullptr ? "" : name, state = state_of(path);
  const std::lock_guard lock(mutex);
  if (cached && state == known) return cached;
  auto script = std::make_shared<Script>();
  std::ifstream file(path);
  for (std::string text; std::getline(file, text);) take_line(*script, std::istringstream(text));
  known = state;
  return cached = script;
}

double seconds_of(const Script& script) {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9 - script.origin;
}

const Series* series_of(const Script& script, const std::string& where, const char* key) {
  const auto found = script.numbers.find(where);
  if (found == script.numbers.end()) return nullptr;
  const auto value = found->second.find(key);
  return value == found->second.end() ? nullptr : &value->second;
}

bool energy_counter(const Script& script, const std::string& where, unsigned long long& into) {
  const auto number = [&](const char* key, double otherwise) {
    const Series* series = series_of(script, where, key);
    return series == nullptr ? otherwise : series->at(0);
  };
  const Series* power = series_of(script, where, "power");
  const double step = number("energy_step", 0) * 1e-3;
  if (step <= 0 || power == nullptr) return false;
  const double now = std::floor(seconds_of(script) / step) * step;
  const double reset = number("energy_reset", HUGE_VAL);
  const double energy = now >= reset ? power->integral(now) - power->integral(reset)
                                     : number("energy_start", 0) + power->integral(now);
  into = static_cast<unsigned long long>(std::fmod(energy, number("energy_wraps", HUGE_VAL)));
  return true;
}

bool is_there(const Keys& process, double now) {
  const auto from = process.find("from"), until = process.find("until");
  return (from == process.end() || now >= std::strtod(from->second.c_str(), nullptr)) &&
         (until == process.end() || now < std::strtod(until->second.c_str(), nullptr));
}

}  // namespace nvml_stub
