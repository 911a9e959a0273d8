#include "controller/environment/watch.hpp"

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "campaign/state/files.hpp"
#include "controller/gpu/bounded.hpp"
#include "controller/gpu/discover.hpp"

namespace controller {

using campaign::EnvironmentRecord;
using campaign::Fact;
using campaign::FactGroup;

namespace {

// A file that is not whole is as good as none: nothing is compared with it.
struct Stored {
  EnvironmentRecord last;
  std::vector<std::string> untold;
};
Stored stored_in(const std::filesystem::path& file) {
  std::error_code error;
  if (!std::filesystem::exists(file, error)) return {};
  try {
    const auto json = nlohmann::ordered_json::parse(campaign::read_file(file));
    return {.last = campaign::environment_from(json.at("last")),
            .untold = json.at("untold").get<std::vector<std::string>>()};
  } catch (const std::exception&) {
    return {};
  }
}

std::vector<FactGroup> all_unknown(const std::vector<gpu::Device>& devices,
                                   const std::string& why) {
  std::vector<FactGroup> groups;
  for (const gpu::Device& device : devices) groups.push_back(device_facts(device, why));
  return groups;
}

}  // namespace

EnvironmentWatch::EnvironmentWatch(EnvironmentParts parts)
    : parts_(std::move(parts)), gpus_(std::make_shared<GpuSettings>(parts_.nvml)) {
  Stored stored = stored_in(parts_.file);
  last_ = std::move(stored.last);
  untold_ = std::move(stored.untold);
  lasting_.push_back(host_facts(parts_.places));
  cpu_model_ = cpu_model(parts_.places);
  if (parts_.engine) lasting_.push_back(engine_facts(*parts_.engine));
  if (auto job = job_facts(parts_.variables)) lasting_.push_back(std::move(*job));
  lasting_.push_back({.name = "controller", .facts = {Fact::of("version", parts_.version)}});
}

Task<EnvironmentRecord> EnvironmentWatch::look(std::vector<gpu::Device> devices) {
  EnvironmentRecord seen;
  FactGroup cpu = cpu_facts(parts_.places);
  cpu.facts.insert(cpu.facts.begin(), cpu_model_);
  seen.groups = lasting_;
  seen.groups.insert(seen.groups.begin() + 1, std::move(cpu));
  if (!devices.empty()) seen.gpus = co_await settings_of(std::move(devices));
  take_in(seen);
  co_return seen;
}

EnvironmentRecord EnvironmentWatch::last(const std::vector<gpu::Device>& devices) const {
  EnvironmentRecord environment{.groups = last_.groups.empty() ? lasting_ : last_.groups,
                                .gpus = {}};
  for (const gpu::Device& device : devices) {
    const auto known = std::ranges::find(last_.gpus, device.uuid, &FactGroup::name);
    environment.gpus.push_back(known != last_.gpus.end()
                                   ? *known
                                   : device_facts(device, "not asked before the run began"));
  }
  return environment;
}

Task<std::vector<FactGroup>> EnvironmentWatch::settings_of(std::vector<gpu::Device> devices) {
  constexpr double look_every = 0.002;  // a driver that is awake answers within a few of these
  const std::string no_answer = gpu::no_answer(parts_.patience);
  if (hangs_) co_return all_unknown(devices, "not asked: the driver " + no_answer + " before");
  std::string failure;
  try {
    auto answer = gpu::begun([gpus = gpus_, devices] { return gpus->read(devices); });
    const double limit = parts_.clock->boottime() + parts_.patience;
    while (answer.wait_for(std::chrono::seconds(0)) != std::future_status::ready) {
      if (parts_.clock->boottime() >= limit) {
        hangs_ = true;
        co_return all_unknown(devices, "the driver " + no_answer);
      }
      co_await parts_.wake->wait(look_every);
    }
    co_return answer.get();
  } catch (const std::exception& error) {
    failure = error.what();
  }
  co_return all_unknown(devices, failure);
}

void EnvironmentWatch::take_in(const EnvironmentRecord& now) {
  EnvironmentRecord last{.groups = now.groups, .gpus = last_.gpus};
  for (const FactGroup& gpu : now.gpus) {
    const auto known = std::ranges::find(last.gpus, gpu.name, &FactGroup::name);
    if (known != last.gpus.end())
      *known = gpu;
    else
      last.gpus.push_back(gpu);
  }
  if (last == last_) return;
  for (const std::string& change : campaign::environment_changes(last_, now))
    untold_.push_back("the environment has changed: " + change);
  last_ = std::move(last);
  keep();
}

void EnvironmentWatch::told(const std::vector<std::string>& notes) {
  const auto in_notes = [&](const std::string& one) {
    return std::ranges::find(notes, one) != notes.end();
  };
  if (std::erase_if(untold_, in_notes) > 0) keep();
}

void EnvironmentWatch::keep() {
  const nlohmann::ordered_json json{{"last", campaign::environment_json(last_)},
                                    {"untold", untold_}};
  try {
    campaign::write_atomically(parts_.file, json.dump(1) + "\n");
  } catch (const std::exception& error) {
    const std::string text =
        std::string("the environment could not be kept for the next start: ") + error.what();
    if (std::ranges::find(untold_, text) == untold_.end()) untold_.push_back(text);
  }
}

}  // namespace controller
