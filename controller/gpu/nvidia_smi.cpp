#include "controller/gpu/nvidia_smi.hpp"

#include <boost/asio/io_context.hpp>
#include <charconv>
#include <chrono>
#include <cmath>
#include <system_error>

#include "controller/gpu/discover.hpp"
#include "controller/process.hpp"
#include "controller/progress/format.hpp"

namespace controller::gpu {
namespace {

using Clock = std::chrono::steady_clock;
using Answer = Place::Answer;

constexpr std::size_t gpu_columns = 9, process_columns = 3;
constexpr double mebibyte = 1024.0 * 1024;

std::string trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return "";
  return std::string(text.substr(first, text.find_last_not_of(" \t\r") + 1 - first));
}

std::vector<std::string> lines_of(const std::string& text) { return text::split(text, '\n'); }

// The last of `columns` takes the rest of the line: a name may have commas.
std::vector<std::string> fields_of(std::string_view line, std::size_t columns) {
  std::vector<std::string> fields;
  while (fields.size() + 1 < columns) {
    const std::size_t comma = line.find(',');
    if (comma == std::string_view::npos) return {};
    fields.push_back(trimmed(line.substr(0, comma)));
    line.remove_prefix(comma + 1);
  }
  fields.push_back(trimmed(line));
  return fields;
}

// What is not a number ("[N/A]", "[Not Supported]") is the reason.
Reading<double> number(const std::string& field) {
  double value = 0;
  const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), value);
  if (error != std::errc() || end != field.data() + field.size() || !std::isfinite(value))
    return Reading<double>::unavailable("nvidia-smi: " + (field.empty() ? "nothing" : field));
  return Reading<double>::of(value);
}

std::uint64_t bytes(double mebibytes) { return static_cast<std::uint64_t>(mebibytes * mebibyte); }

template <class Value, class Convert>
Reading<Value> converted(const Reading<double>& from, Convert convert) {
  if (!from) return Reading<Value>::unavailable(from.why);
  return Reading<Value>::of(convert(*from));
}

std::optional<Device> gpu_of(const std::vector<std::string>& fields) {
  if (fields.empty() || !fields[1].starts_with("GPU-")) return std::nullopt;
  const Reading<double> total = number(fields[2]), used = number(fields[3]);
  Device device{.index = fields[0], .uuid = fields[1], .name = fields[8]};
  if (total && used)
    device.memory = Reading<DeviceMemory>::of({.total = bytes(*total), .used = bytes(*used)});
  else
    device.memory = Reading<DeviceMemory>::unavailable(total ? used.why : total.why);
  device.temperature = converted<int>(
      number(fields[4]), [](double degrees) { return static_cast<int>(std::lround(degrees)); });
  device.power = number(fields[5]);
  device.mig = fields[6] == "Enabled";
  device.processes = Reading<std::vector<DeviceProcess>>::of({});
  return device;
}

void add_processes(const std::string& answer, std::vector<Device>& devices) {
  for (const std::string& line : lines_of(answer)) {
    const std::vector<std::string> fields = fields_of(line, process_columns);
    if (fields.empty()) continue;
    const Reading<double> pid = number(fields[1]);
    for (Device& device : devices)
      if (pid && device.uuid == fields[0])
        device.processes.value->push_back(
            {.pid = static_cast<std::int64_t>(*pid),
             .name = "",
             .user = "",
             .memory = converted<std::uint64_t>(number(fields[2]), bytes)});
  }
}

// "  MIG 1g.5gb      Device  0: (UUID: MIG-...)", below "GPU 0: NAME (UUID: GPU-...)".
std::optional<Device> instance_of(const std::string& line, const Device& parent) {
  const std::size_t uuid = line.find("(UUID: MIG-"), number_at = line.find("Device");
  const std::string text = trimmed(line);
  if (uuid == std::string::npos || number_at == std::string::npos || !text.starts_with("MIG "))
    return std::nullopt;
  const std::string why = "nvidia-smi does not tell it of a MIG instance";
  const std::size_t colon = line.find(':', number_at);
  Device device{
      .index = parent.index + ":" + trimmed(line.substr(number_at + 6, colon - number_at - 6)),
      .uuid = line.substr(uuid + 7, line.find(')', uuid) - uuid - 7),
      .name = parent.name + " MIG " + trimmed(text.substr(4, text.find("Device") - 4)),
      .parent = parent.uuid};
  device.memory = Reading<DeviceMemory>::unavailable(why);
  device.temperature = Reading<int>::unavailable(why);
  device.power = Reading<double>::unavailable(why);
  device.processes = Reading<std::vector<DeviceProcess>>::unavailable(why);
  return device;
}

std::vector<Device> with_instances(const std::vector<Device>& gpus, const std::string& list) {
  std::vector<Device> all;
  for (const Device& gpu : gpus) {
    all.push_back(gpu);
    bool ours = false;
    for (const std::string& line : lines_of(list)) {
      if (line.starts_with("GPU "))
        ours = line.find("(UUID: " + gpu.uuid + ")") != std::string::npos;
      if (auto instance = instance_of(line, gpu); ours && instance)
        all.push_back(std::move(*instance));
    }
  }
  return all;
}

struct Printed {
  int exit_code = 0;
  bool timed_out = false;
  std::string text;
};

Printed output_of(const std::vector<std::string>& argv, Clock::time_point until) {
  Printed printed;
  bool over = false;
  boost::asio::io_context io;
  const auto child =
      spawn_child(io, {.command = {.argv = argv},
                       .on_exit =
                           [&](int code) {
                             printed.exit_code = code;
                             over = true;
                           },
                       .on_line = [&](const std::string& line) { printed.text += line + "\n"; }});
  while (!over && io.run_one_until(until) > 0) {
  }
  printed.timed_out = !over;
  return printed;
}

}  // namespace

std::vector<Device> smi_devices(const SmiAnswers& answers, Reading<std::string>& driver_version) {
  std::vector<Device> devices;
  for (const std::string& line : lines_of(answers.gpus)) {
    const std::vector<std::string> fields = fields_of(line, gpu_columns);
    std::optional<Device> device = gpu_of(fields);
    if (!device) continue;
    driver_version = Reading<std::string>::of(fields[7]);
    devices.push_back(std::move(*device));
  }
  add_processes(answers.processes, devices);
  return with_instances(devices, answers.list);
}

Place ask_nvidia_smi(const std::string& program, double patience, Inventory& into) {
  Place place{Answer::fault, program, ""};
  const auto until = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                        std::chrono::duration<double>(patience));
  SmiAnswers answers;
  const std::pair<std::string*, std::vector<std::string>> questions[] = {
      {&answers.gpus,
       {program, std::string("--query-gpu=") + smi_gpu_fields, "--format=csv,noheader,nounits"}},
      {&answers.processes,
       {program, "--query-compute-apps=gpu_uuid,pid,used_memory", "--format=csv,noheader,nounits"}},
      {&answers.list, {program, "-L"}}};
  for (const auto& [answer, argv] : questions) {
    Printed printed;
    try {
      printed = output_of(argv, until);
    } catch (const std::system_error& error) {
      place.answer = error.code().value() == ENOENT ? Answer::nothing : Answer::fault;
      place.finding = error.code().value() == ENOENT ? "not installed" : error.what();
      return place;
    }
    if (printed.timed_out) {
      place.finding = no_answer(patience);
      return place;
    }
    if (printed.exit_code != 0) {
      const std::vector<std::string> said = lines_of(printed.text);
      place.finding = "exit code " + std::to_string(printed.exit_code) +
                      (said.empty() ? "" : ": " + said.front());
      return place;
    }
    *answer = std::move(printed.text);
  }
  std::vector<Device> devices = smi_devices(answers, into.driver_version);
  for (Device& device : devices)
    if (device.processes) name_processes(*device.processes.value);
  into.cuda_version = Reading<std::string>::unavailable("nvidia-smi's queries do not tell it");
  place.answer = devices.empty() ? Answer::nothing : Answer::devices;
  place.finding = text::plural(devices.size(), "device");
  for (Device& device : devices) into.devices.push_back(std::move(device));
  return place;
}

}  // namespace controller::gpu
