// Facts about the machine, its processors, the engine and the job, each read where the kernel or
// the scheduler keeps it. Nothing throws: a fact that cannot be read says why.
#pragma once

#include "campaign/config/loader.hpp"
#include "campaign/results/environment.hpp"
#include "container/engine_types.hpp"
#include "controller/telemetry/sensor.hpp"

namespace controller {

// Where it is read; tests have folders of their own.
struct EnvironmentPlaces {
  telemetry::Roots roots;
  std::string os_release = "/etc/os-release";
};

// Its name, kernel, operating system and memory.
campaign::FactGroup host_facts(const EnvironmentPlaces& places);

// "AMD EPYC 7763 64-Core Processor". To ask for it disturbs every CPU: once is enough.
campaign::Fact cpu_model(const EnvironmentPlaces& places);

// What may change while a machine runs: which CPUs are online, SMT, and how their frequency is
// governed: driver, governor, limits (the lowest and the highest of all CPUs), boost. Governors
// that differ are listed.
campaign::FactGroup cpu_facts(const EnvironmentPlaces& places);

campaign::FactGroup engine_facts(const container::EngineInfo& engine);

// `name`: as the campaign file has it.
campaign::FactGroup image_facts(const std::string& name, const container::ImageInfo& image);

// What the scheduler says by its variables (Slurm, PBS, LSF, SGE, Flux); nullopt: this is no job.
std::optional<campaign::FactGroup> job_facts(const campaign::Environment& variables);

}  // namespace controller
