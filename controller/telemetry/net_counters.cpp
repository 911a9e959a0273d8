#include "controller/telemetry/net_counters.hpp"

#include <filesystem>
#include <limits>

namespace controller::telemetry {

namespace fs = std::filesystem;

namespace {

constexpr double unknown = std::numeric_limits<double>::quiet_NaN();

// "" where it is not to be seen.
std::string network_of(const Roots& roots, const std::string& process) {
  std::error_code error;
  return fs::read_symlink(fs::path(roots.proc) / process / "ns/net", error).string();
}

KernelFile counters_of(const Roots& roots, const std::string& procs) {
  const std::string text = whole_text(procs);
  const std::string process = text.substr(0, text.find('\n'));
  if (process.empty()) return {};
  const std::string network = network_of(roots, process);
  if (network.empty() || network == network_of(roots, "self")) return {};
  return KernelFile(roots.proc + "/" + process + "/net/dev");
}

}  // namespace

NetCounters::NetCounters(const Roots& roots, const std::string& procs)
    : file_(counters_of(roots, procs)) {}

// Two lines of titles, then "  eth0: RECEIVED 7 numbers SENT 7 numbers".
NetCounters::Bytes NetCounters::read(std::span<char> buffer) const {
  constexpr int sent_number = 8;
  const auto text = file_ ? file_.read(buffer) : std::nullopt;
  if (!text) return {.received = unknown, .sent = unknown};
  Bytes sums{.received = 0, .sent = 0};
  for (std::size_t at = 0; at < text->size();) {
    const std::size_t end = std::min(text->find('\n', at), text->size());
    std::string_view line = text->substr(at, end - at);
    at = end + 1;
    const auto colon = line.find(':');
    if (colon == line.npos || line.substr(0, colon).ends_with(" lo") || line.starts_with("lo:"))
      continue;
    line.remove_prefix(colon + 1);
    for (int number = 0; number <= sent_number; ++number) {
      const auto value = take_number(line);
      if (!value) break;
      if (number == 0) sums.received += static_cast<double>(*value);
      if (number == sent_number) sums.sent += static_cast<double>(*value);
    }
  }
  return sums;
}

}  // namespace controller::telemetry
