#include "controller/gpu/grant.hpp"

#include <algorithm>

#include "controller/errors.hpp"
#include "controller/progress/format.hpp"

namespace controller::gpu {
namespace {

using Devices = std::vector<Device>;

constexpr char nothing_word[] = "NoDevFiles";
constexpr char job_name[] = "SLURM_JOB_GPUS", step_name[] = "SLURM_STEP_GPUS",
               visible_name[] = "CUDA_VISIBLE_DEVICES";

struct Variable {
  std::string name, value;
  std::string text() const { return name + "=" + value; }
  std::string words_for_none() const {
    if (value.empty()) return name + " is set and empty: no GPU is granted";
    return text() + ": no GPU is granted";
  }
};

[[noreturn]] void refuse(const std::string& what) {
  throw CommandError(ExitCode::environment, what);
}

std::vector<std::string> words_of(const std::string& list) {
  std::vector<std::string> words;
  for (std::string word : text::split(list, ',')) {
    std::erase(word, ' ');
    words.push_back(std::move(word));
  }
  return words;
}

bool grants_nothing(const std::string& value) {
  const std::vector<std::string> words = words_of(value);
  return words.empty() || words.front() == nothing_word || words.front() == "-1";
}

void add_parts(const Device& device, const Devices& all, Devices& into) {
  for (const Device& part : parts_of(device, all))
    if (!has(into, part.uuid)) into.push_back(part);
}

std::string there_is(const Devices& devices) { return "; there is: " + listing(devices); }

// Slurm's numbers are those of device files; without them, of the GPUs that are seen.
Devices by_device_file(const Variable& variable, const Devices& all, std::string& cause) {
  Devices found;
  cause = variable.text();
  const std::vector<std::string> words = words_of(variable.value);
  for (const std::string& word : words) {
    const auto at = std::find_if(all.begin(), all.end(), [&](const Device& device) {
      return device.parent.empty() &&
             (device.minor ? std::to_string(*device.minor) : device.index) == word;
    });
    if (at != all.end()) {
      add_parts(*at, all, found);
      continue;
    }
    const auto whole = static_cast<std::size_t>(std::count_if(
        all.begin(), all.end(), [](const Device& device) { return device.parent.empty(); }));
    if (whole != words.size())
      refuse(variable.text() + ": no GPU has the number " + word + there_is(all));
    cause += " lists as many GPUs as are seen here: all of them";
    return usable(all);
  }
  return found;
}

Devices by_name(const Variable& variable, const Devices& all) {
  Devices found;
  for (const std::string& word : words_of(variable.value)) {
    if (word == "-1") break;
    const Devices named = named_by(word, all);
    if (named.empty()) refuse(variable.text() + ": there is no GPU `" + word + "`" + there_is(all));
    if (named.size() > 1)
      refuse(variable.text() + ": `" + word + "` fits several GPUs: " + listing(named));
    add_parts(named.front(), all, found);
  }
  return found;
}

// CUDA's numbers name NVIDIA's GPUs where there are any.
Devices cuda_devices(const Devices& all) {
  Devices nvidia;
  for (const Device& device : all)
    if (device.vendor == Device::Vendor::nvidia) nvidia.push_back(device);
  return nvidia.empty() ? all : nvidia;
}

bool instances_named(const std::string& value) { return value.find("MIG-") != std::string::npos; }

// The numbers of one list are among those of the other: both count in the same way.
bool same_numbering(const std::string& value, const std::string& whole) {
  const std::vector<std::string> some = words_of(value), all = words_of(whole);
  return std::all_of(some.begin(), some.end(), [&](const std::string& word) {
    return std::find(all.begin(), all.end(), word) != all.end();
  });
}

void check_against(const Variable& lists, const Variable& visible, const Devices& found,
                   const Devices& all) {
  if (instances_named(visible.value) || same_numbering(visible.value, lists.value)) return;
  std::string ignored;
  const Devices granted =
      grants_nothing(lists.value) ? Devices{} : by_device_file(lists, all, ignored);
  for (const Device& device : found)
    if (!has(granted, device.uuid))
      refuse(visible.text() + " names " + device.uuid + ", which the job does not have (" +
             lists.text() + ": " + listing(granted) + ")");
}

}  // namespace

GrantWords grant_words(const campaign::Environment& environment) {
  return {.job = environment(job_name),
          .step = environment(step_name),
          .visible = environment(visible_name)};
}

Grant grant_of(const std::vector<Device>& devices, const GrantWords& words) {
  std::optional<Variable> scheduler, visible;
  if (words.job) scheduler = {job_name, *words.job};
  if (words.step) scheduler = {step_name, *words.step};
  if (words.visible) visible = {visible_name, *words.visible};
  if (const auto& first = visible ? visible : scheduler; first && grants_nothing(first->value))
    return {.devices = {}, .cause = first->words_for_none()};
  Grant grant;
  if (visible) {
    grant.devices = by_name(*visible, cuda_devices(devices));
    grant.cause = visible->text();
    if (scheduler) {
      check_against(*scheduler, *visible, grant.devices, devices);
      grant.cause += " (" + scheduler->text() + ")";
    }
  } else if (scheduler) {
    grant.devices = by_device_file(*scheduler, devices, grant.cause);
  } else {
    grant.devices = usable(devices);
    grant.cause = std::string("none of ") + job_name + ", " + step_name + ", " + visible_name +
                  " is set: all that there is";
  }
  return grant;
}

std::vector<Device> usable(const std::vector<Device>& devices) {
  Devices found;
  for (const Device& device : devices)
    if (!device.mig) found.push_back(device);
  return found;
}

std::string listing(const std::vector<Device>& devices) {
  std::vector<std::string> parts;
  for (const Device& device : devices)
    parts.push_back(device.index + " = " + device.uuid +
                    (device.mig            ? " (in MIG mode)"
                     : device.name.empty() ? ""
                                           : " (" + device.name + ")"));
  return parts.empty() ? "none" : text::joined(parts, ", ");
}

std::vector<Device> named_by(const std::string& word, const std::vector<Device>& devices) {
  Devices found;
  for (const Device& device : devices) {
    if (device.uuid == word) return {device};
    if (device.index == word || (word.size() > 4 && device.uuid.starts_with(word)))
      found.push_back(device);
  }
  return found;
}

std::vector<Device> parts_of(const Device& device, const std::vector<Device>& devices) {
  if (!device.mig) return {device};
  Devices parts;
  for (const Device& other : devices)
    if (other.parent == device.uuid) parts.push_back(other);
  return parts;
}

bool has(const std::vector<Device>& devices, const std::string& uuid) {
  return std::any_of(devices.begin(), devices.end(),
                     [&](const Device& device) { return device.uuid == uuid; });
}

std::string joined_uuids(const std::vector<Device>& devices) {
  std::string text;
  for (const Device& device : devices) text += (text.empty() ? "" : ",") + device.uuid;
  return text;
}

}  // namespace controller::gpu
