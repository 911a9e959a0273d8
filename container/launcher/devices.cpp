#include "container/launcher/devices.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "container/launcher/records.hpp"

namespace container::launcher {
namespace {

constexpr char nvidia[] = "/dev/nvidia", render[] = "/dev/dri/renderD";

bool is_number(const std::string& text) {
  return !text.empty() && text.size() < 6 &&
         text.find_first_not_of("0123456789") == std::string::npos;
}

std::vector<std::string> entries(const std::string& folder) {
  std::vector<std::string> names;
  DIR* open = opendir(folder.c_str());
  if (!open) return names;
  while (const dirent* entry = readdir(open)) names.emplace_back(entry->d_name);
  closedir(open);
  return names;
}

bool exists(const std::string& path) {
  struct stat status{};
  return stat(path.c_str(), &status) == 0;
}

// Numbers of the files `prefix`<n> in a folder, in order.
std::vector<int> numbered(const std::string& folder, const std::string& prefix) {
  std::vector<int> numbers;
  for (const std::string& name : entries(folder))
    if (name.starts_with(prefix) && is_number(name.substr(prefix.size())))
      numbers.push_back(std::atoi(name.c_str() + prefix.size()));
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

std::string content(const std::string& path) {
  char text[4096];
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text);
  if (fd >= 0) close(fd);
  return n > 0 ? std::string(text, static_cast<std::size_t>(n)) : "";
}

// "Device Minor: \t 0" of a file of /proc/driver/nvidia/gpus.
std::string field(const std::string& text, const std::string& name) {
  const auto at = text.find(name + ":");
  if (at == std::string::npos) return "";
  const auto from = text.find_first_not_of(" \t", at + name.size() + 1);
  if (from == std::string::npos) return "";
  return text.substr(from, text.find_first_of(" \t\n", from) - from);
}

bool is_nvidia(const std::string& file) { return file.starts_with(nvidia); }

const SeenGpus::Gpu* by_file(const SeenGpus& seen, const std::string& file) {
  for (const auto& gpu : seen.all)
    if (gpu.file == file) return &gpu;
  return nullptr;
}

bool any_nvidia(const SeenGpus& seen) {
  return seen.dxg || std::any_of(seen.all.begin(), seen.all.end(),
                                 [](const auto& gpu) { return is_nvidia(gpu.file); });
}

std::string named(const std::string& first, const std::string& second) {
  return second.empty() ? first : first + " (" + second + ")";
}

// What is wrong with one of the expected.
std::string fault(const ExpectedGpus::Gpu& wanted, const SeenGpus& seen) {
  if (wanted.file.empty()) {
    const auto listed = [&](const auto& gpu) { return gpu.uuid == wanted.uuid; };
    if (std::any_of(seen.all.begin(), seen.all.end(), listed) || any_nvidia(seen)) return "";
    return wanted.uuid + " is missing";
  }
  const SeenGpus::Gpu* there = by_file(seen, wanted.file);
  if (!there) return wanted.file + " is missing";
  if (!is_nvidia(wanted.file)) return seen.kfd ? "" : "/dev/kfd is missing";
  const bool whole = wanted.uuid.starts_with("GPU-");
  if (whole && !there->uuid.empty() && there->uuid != wanted.uuid)
    return wanted.file + " is " + there->uuid;
  return "";
}

// A device of the same vendor that is not expected.
std::string surplus(const ExpectedGpus& expected, const SeenGpus& seen) {
  if (expected.others_allowed) return "";
  for (const auto& wanted : expected.all)
    if (wanted.file.empty()) return "";
  for (const auto& gpu : seen.all) {
    bool known = false, same_vendor = false;
    for (const auto& wanted : expected.all) {
      known |= wanted.file == gpu.file;
      same_vendor |= is_nvidia(wanted.file) == is_nvidia(gpu.file);
    }
    if (same_vendor && !known) return gpu.file + " is there too";
  }
  return "";
}

std::string text_of(const ExpectedGpus& expected) {
  std::string text;
  for (const auto& gpu : expected.all)
    text += (text.empty() ? "" : ", ") + named(gpu.uuid, gpu.file);
  return text;
}

std::string text_of(const SeenGpus& seen) {
  std::string text;
  for (const auto& gpu : seen.all) text += named(gpu.file, gpu.uuid) + ", ";
  if (seen.all.empty()) text = "no GPU, ";
  return text + (seen.visible_devices.empty() ? "NVIDIA_VISIBLE_DEVICES not set"
                                              : "NVIDIA_VISIBLE_DEVICES=" + seen.visible_devices);
}

}  // namespace

bool ExpectedGpus::add(const std::string& text) {
  const auto equals = text.find('=');
  if (equals == std::string::npos || equals == 0) return false;
  all.push_back({.uuid = text.substr(0, equals), .file = text.substr(equals + 1)});
  return all.back().file.empty() || all.back().file.starts_with("/dev/");
}

SeenGpus see_gpus(const std::string& root) {
  const std::string top = root == "/" ? "" : root;
  SeenGpus seen;
  for (int number : numbered(top + "/dev", "nvidia"))
    seen.all.push_back({.file = nvidia + std::to_string(number), .uuid = {}});
  const std::string listed = top + "/proc/driver/nvidia/gpus/";
  for (const std::string& address : entries(listed)) {
    const std::string text = content(listed + address + "/information");
    const std::string file = nvidia + field(text, "Device Minor");
    for (auto& gpu : seen.all)
      if (gpu.file == file) gpu.uuid = field(text, "GPU UUID");
  }
  for (int number : numbered(top + "/dev/dri", "renderD"))
    seen.all.push_back({.file = render + std::to_string(number), .uuid = {}});
  seen.kfd = exists(top + "/dev/kfd");
  seen.dxg = exists(top + "/dev/dxg");
  if (const char* value = std::getenv("NVIDIA_VISIBLE_DEVICES")) seen.visible_devices = value;
  return seen;
}

std::string mismatch(const ExpectedGpus& expected, const SeenGpus& seen) {
  std::string wrong;
  for (const auto& wanted : expected.all)
    if (wrong.empty()) wrong = fault(wanted, seen);
  if (wrong.empty()) wrong = surplus(expected, seen);
  if (wrong.empty()) return "";
  return "the GPUs are not the leased ones: expected " + text_of(expected) + "; seen " +
         text_of(seen) + ": " + wrong;
}

std::string devices_json(const SeenGpus& seen, const std::string& mismatch) {
  std::string text;
  for (const auto& gpu : seen.all)
    text += (text.empty() ? "" : ",") + ("{\"file\":" + quoted(gpu.file)) +
            ",\"uuid\":" + (gpu.uuid.empty() ? "null" : quoted(gpu.uuid)) + "}";
  return "{\"v\":1,\"seen\":[" + text +
         "],\"nvidia_visible_devices\":" + quoted(seen.visible_devices) +
         ",\"mismatch\":" + (mismatch.empty() ? "null" : quoted(mismatch)) + "}\n";
}

}  // namespace container::launcher
