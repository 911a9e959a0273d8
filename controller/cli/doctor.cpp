#include <fcntl.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <cstring>
#include <nlohmann/json.hpp>

#include "campaign/config/loader.hpp"
#include "campaign/state/files.hpp"
#include "container/docker_engine.hpp"
#include "controller/cli/commands.hpp"
#include "controller/cli/gpus_report.hpp"
#include "controller/errors.hpp"
#include "controller/run_sync.hpp"
#include "controller/runners/gpus.hpp"
#include "controller/runners/site.hpp"

namespace controller::cli {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

struct Check {
  enum class Verdict { ok, warning, failure } verdict = Verdict::ok;
  std::string name, finding, remedy;  // remedy "" = none is needed
};
using Verdict = Check::Verdict;

constexpr std::uintmax_t least_free = std::uintmax_t{1} << 30;
constexpr double plausible_utc = 1.7e9;  // a clock before November 2023 was never set

Check engine_unreachable(const std::string& why) {
  return {.verdict = Verdict::failure,
          .name = "engine",
          .finding = why,
          .remedy =
              "start it (`systemctl start docker`), join the group `docker`, or set DOCKER_HOST; "
              "campaigns with `type: local` need none"};
}

std::optional<container::EngineInfo> check_engine(std::vector<Check>& checks) {
  std::vector<std::string> tried;
  try {
    const auto endpoint = container::find_endpoint(
        {.environment = campaign::process_environment(), .explicit_host = ""}, &tried);
    if (!endpoint) {
      checks.push_back(engine_unreachable("none answers; tried " + joined(tried, ", ")));
      return std::nullopt;
    }
    boost::asio::io_context io;
    const auto engine =
        container::make_docker_engine(io, {.endpoint = *endpoint, .request_timeout = 10});
    container::EngineInfo info = run_sync(io, engine->info(), {}).value();
    checks.push_back({.name = "engine",
                      .finding = (info.podman ? "podman " : "docker ") + info.version + ", API " +
                                 info.api_version + ", " + endpoint->text() + " (" +
                                 endpoint->source + ")",
                      .remedy = ""});
    checks.push_back(
        {.verdict = info.userns_remap ? Verdict::failure : Verdict::ok,
         .name = "users",
         .finding = info.userns_remap ? "the engine remaps users"
                    : info.rootless   ? "rootless: payloads run as 0:0 of the engine"
                                      : "payloads run as the caller",
         .remedy = info.userns_remap ? "switch userns-remap off for this engine" : ""});
    return info;
  } catch (const std::exception& error) {
    checks.push_back(engine_unreachable(error.what()));
  }
  return std::nullopt;
}

Check check_cgroup() {
  std::error_code ignored;
  const bool second = fs::exists("/sys/fs/cgroup/cgroup.controllers", ignored);
  const bool first = fs::exists("/sys/fs/cgroup/memory", ignored);
  if (second || first)
    return {.name = "cgroups", .finding = second ? "version 2" : "version 1", .remedy = ""};
  return {.verdict = Verdict::warning,
          .name = "cgroups",
          .finding = "none mounted at /sys/fs/cgroup",
          .remedy = "limits of memory and processors may not hold"};
}

Check check_launcher() {
  try {
    return {.name = "launcher", .finding = own_launcher().string(), .remedy = ""};
  } catch (const std::exception& error) {
    return {.verdict = Verdict::failure,
            .name = "launcher",
            .finding = error.what(),
            .remedy = "install campaignctl-launch beside campaignctl (`cmake --install`)"};
  }
}

// Where a state folder is, or would be made.
fs::path nearest_existing(fs::path path) {
  std::error_code ignored;
  while (!fs::exists(path, ignored) && path.has_parent_path() && path != path.parent_path())
    path = path.parent_path();
  return path;
}

Check check_permissions(const fs::path& state_dir) {
  std::error_code ignored;
  const bool there = fs::exists(state_dir, ignored);
  const std::string unsafe = there ? campaign::unsafe_ownership(state_dir) : "";
  if (!unsafe.empty())
    return {.verdict = Verdict::failure,
            .name = "state folder",
            .finding = unsafe,
            .remedy = "chmod go-w, or use a folder of your own with --state-dir"};
  const fs::path existing = nearest_existing(state_dir);
  if (access(existing.c_str(), W_OK | X_OK) != 0)
    return {.verdict = Verdict::failure,
            .name = "state folder",
            .finding = existing.string() + " cannot be written: " + std::strerror(errno),
            .remedy = "use another folder with --state-dir"};
  return {.name = "state folder",
          .finding = state_dir.string() + (there ? "" : " (will be made)"),
          .remedy = ""};
}

Check check_disk(const fs::path& existing) {
  struct statvfs info{};
  if (statvfs(existing.c_str(), &info) != 0)
    return {.verdict = Verdict::warning,
            .name = "disk",
            .finding = existing.string() + ": " + std::strerror(errno),
            .remedy = ""};
  const std::uintmax_t free = std::uintmax_t{info.f_bavail} * info.f_frsize;
  const std::string finding =
      fixed(static_cast<double>(free) / (1U << 30), 1) + " GiB free at " + existing.string();
  if (free >= least_free) return {.name = "disk", .finding = finding, .remedy = ""};
  return {.verdict = Verdict::failure,
          .name = "disk",
          .finding = finding,
          .remedy = "no run starts below io.min_free (1 GiB by default): make room, or say less"};
}

bool on_network(const fs::path& existing) {
  struct statfs info{};
  if (statfs(existing.c_str(), &info) != 0) return false;
  for (const long magic : {0x6969L, 0xFF534D42L, 0xFE534D42L, 0x0BD00BD0L, 0x00C36400L})
    if (info.f_type == magic) return true;
  return false;
}

Check check_locks(const fs::path& existing) {
  const int fd = open(existing.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool works = fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) == 0;
  const std::string why = works ? "" : std::strerror(errno);
  if (fd >= 0) close(fd);
  if (!works)
    return {.verdict = Verdict::failure,
            .name = "locks",
            .finding = existing.string() + ": " + why,
            .remedy = "use a state folder on a file system with flock (--state-dir)"};
  if (on_network(existing))
    return {.verdict = Verdict::warning,
            .name = "locks",
            .finding = existing.string() + " is on a network file system",
            .remedy =
                "flock must be mounted through to the server (`flock` or NFSv4); else use a local "
                "--state-dir"};
  return {.name = "locks", .finding = "flock works, local file system", .remedy = ""};
}

Check check_clock() {
  if (campaign::system_clock().utc() < plausible_utc)
    return {.verdict = Verdict::failure,
            .name = "clock",
            .finding = "it was never set",
            .remedy = "set the time (`timedatectl set-ntp true`)"};
  timex state{};
  const int status = adjtimex(&state);
  const bool synchronised = status >= 0 && status != TIME_ERROR && (state.status & STA_UNSYNC) == 0;
  const std::string now = campaign::rfc3339(campaign::system_clock().utc(), 0);
  if (synchronised) return {.name = "clock", .finding = now + ", synchronised", .remedy = ""};
  return {.verdict = Verdict::warning,
          .name = "clock",
          .finding = now + ", not synchronised",
          .remedy = "durations are right, times of day may be off (`timedatectl set-ntp true`)"};
}

std::string gpus_finding(const GpusReport& report) {
  const auto& devices = report.inventory.devices;
  std::vector<std::string> parts;
  if (devices.empty())
    for (const gpu::Place& place : report.inventory.places)
      parts.push_back(place.name + ": " + place.finding);
  if (devices.empty()) return "none found; " + joined(parts, "; ");
  parts.push_back(plural(gpu::usable(devices).size(), "device") + ", " +
                  std::to_string(report.grant.devices.size()) + " granted here");
  if (const std::string versions = versions_text(report.inventory); !versions.empty())
    parts.push_back(versions);
  for (const gpu::Device& device : devices)
    for (const std::string& line : holders_of(report, device)) parts.push_back(line);
  return joined(parts, "; ");
}

// How containers would get the granted ones.
Check check_gpu_route(const container::EngineInfo& engine, const GpuDevices& devices) {
  Check check{.name = "gpu route", .finding = "", .remedy = ""};
  try {
    const container::GpuRoute route =
        container::choose_gpu_route(engine, gpu_host(engine), container_devices(devices));
    check.verdict = route.remedy.empty() ? Verdict::ok : Verdict::warning;
    check.finding = text_of(route);
    check.remedy = route.remedy;
  } catch (const container::GpuRefusal& refusal) {
    const std::string text = refusal.what();
    check.verdict = Verdict::failure;
    check.finding = text.substr(0, text.find('\n'));
    check.remedy = text.substr(text.find_first_not_of("\n ", text.find('\n')));
  }
  return check;
}

Check check_gpus(const GpusReport& report) {
  Check check{.name = "gpus", .finding = gpus_finding(report), .remedy = ""};
  if (!report.grant_fault.empty()) {
    check.verdict = Verdict::warning;
    check.finding = report.grant_fault;
    check.remedy = "set CUDA_VISIBLE_DEVICES to UUIDs of `campaignctl gpus`, or unset it";
  } else if (has_fault(report)) {
    check.verdict = Verdict::warning;
    check.remedy = "`campaignctl gpus` has each place; `nvidia-smi` and `dmesg` tell of the driver";
  }
  return check;
}

fs::path state_folder(const Arguments& arguments) {
  const LocateRequest request = locate_request(arguments, "");
  return fs::path(request.cwd) / (request.state_dir.empty() ? ".state" : request.state_dir);
}

std::vector<Check> run_checks(const Arguments& arguments) {
  std::vector<Check> checks;
  const auto engine = check_engine(checks);
  checks.push_back(check_cgroup());
  checks.push_back(check_launcher());
  const fs::path state_dir = state_folder(arguments);
  const fs::path existing = nearest_existing(state_dir);
  checks.push_back(check_permissions(state_dir));
  checks.push_back(check_disk(existing));
  checks.push_back(check_locks(existing));
  checks.push_back(check_clock());
  const GpusReport gpus = gpus_report(gpus_request());
  checks.push_back(check_gpus(gpus));
  if (engine && !gpus.grant.devices.empty())
    checks.push_back(check_gpu_route(*engine, gpus.grant.devices));
  return checks;
}

const char* word_of(Verdict verdict) {
  return verdict == Verdict::ok ? "ok" : verdict == Verdict::warning ? "warning" : "failure";
}

std::string checks_text(const std::vector<Check>& checks, const Style& style) {
  std::string out;
  for (const Check& check : checks) {
    const Paint paint = check.verdict == Verdict::ok        ? Paint::green
                        : check.verdict == Verdict::warning ? Paint::yellow
                                                            : Paint::red;
    const std::string word = word_of(check.verdict);
    out += painted(word, paint, style.color) + std::string(9 - word.size(), ' ') + check.name +
           std::string(14 - check.name.size(), ' ') + check.finding + "\n";
    if (!check.remedy.empty()) out += std::string(9, ' ') + "-> " + check.remedy + "\n";
  }
  return out;
}

std::string checks_json(const std::vector<Check>& checks) {
  Json list = Json::array();
  bool ok = true;
  for (const Check& check : checks) {
    ok = ok && check.verdict != Verdict::failure;
    list.push_back({{"name", check.name},
                    {"verdict", word_of(check.verdict)},
                    {"finding", check.finding},
                    {"remedy", check.remedy.empty() ? Json(nullptr) : Json(check.remedy)}});
  }
  const Json object = {{"schema_version", 1}, {"ok", ok}, {"checks", list}};
  return object.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace

int doctor_command(const Arguments& arguments, Console& console) {
  const std::vector<Check> checks = run_checks(arguments);
  console.out << (arguments.global.json ? checks_json(checks) : checks_text(checks, console.style));
  for (const Check& check : checks)
    if (check.verdict == Verdict::failure) return static_cast<int>(ExitCode::environment);
  return 0;
}

}  // namespace controller::cli
