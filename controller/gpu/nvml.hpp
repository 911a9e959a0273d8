// NVIDIA's management library, opened at run time: nothing is linked and no header is needed, so
// one binary serves hosts with and without it. One object owns the library and its table of
// symbols; a call that this driver's library does not have is unavailable by itself, the others
// work. A new reading is a row in the table of nvml.cpp and a method here.
//
// Every call may block for as long as the driver does; give an object a thread that may hang
// (bounded.hpp). NVML itself is thread-safe, but this class is used by one thread at a time.
#pragma once

#include <memory>
#include <span>

#include "controller/gpu/device.hpp"

namespace controller::gpu {

inline constexpr char nvml_library[] = "libnvidia-ml.so.1";

// Bits of Nvml::Sample::clock_events: why clocks are lower than they could be
// (nvmlClocksEventReasons).
namespace clock_event {
inline constexpr std::uint64_t sw_power_cap = 0x4, hw_slowdown = 0x8, sw_thermal = 0x20,
                               hw_thermal = 0x40, hw_power_brake = 0x80;
}

class Nvml {
 public:
  struct Opened;
  // Loads (through the dynamic linker's search path, or by a path with a slash) and initialises it.
  static Opened open(const std::string& library);
  // For whoever needs it as long as the program runs: it is not closed with its last holder, whom a
  // driver that hangs would hold; the program's end closes it.
  static std::shared_ptr<Nvml> lasting(std::unique_ptr<Nvml> nvml);
  Nvml(const Nvml&) = delete;
  Nvml& operator=(const Nvml&) = delete;
  ~Nvml();

  // A GPU or a MIG instance, as the library knows it; valid while this object lives.
  using Handle = void*;
  // Its number `pid`, bytes; no memory is told where the driver does not account for it.
  struct Process {
    std::int64_t pid = 0;
    Reading<std::uint64_t> memory;
    bool graphics = false;  // it only draws: a display's
  };

  Reading<std::string> driver_version() const;
  Reading<std::string> cuda_version() const;  // "12.4": the newest that the driver serves
  Reading<unsigned> count() const;
  Reading<Handle> device(unsigned index) const;
  Reading<std::string> uuid(Handle device) const;
  Reading<std::string> name(Handle device) const;
  Reading<unsigned> minor(Handle device) const;
  Reading<DeviceMemory> memory(Handle device) const;
  Reading<int> temperature(Handle device) const;
  Reading<double> power(Handle device) const;
  // Of compute and graphics, each once.
  Reading<std::vector<Process>> processes(Handle device) const;

  // A number of a device that changes from moment to moment, as a sampler reads it: nothing is
  // allocated, and what comes back is NVML's code, 0 for success. Counters: energy since the driver
  // was loaded (its step is the device's own, tens of milliseconds), and the time for which clocks
  // were held down by heat or by the power limit.
  enum class Sample {
    power_w,
    energy_j,
    temperature_c,
    sm_clock_mhz,
    memory_clock_mhz,
    utilisation_pct,
    memory_bytes,  // in use, the driver's share too
    clock_events,  // bits: clock_event
    thermal_violation_s,
    power_violation_s
  };
  int sample(Sample what, Handle device, double& value) const;
  std::string why(Sample what, int code) const;  // which call it was, and what its code means
  // The processes with a compute context, likewise; as many as have room, most_pids at most. More
  // than that is an error by NVML.
  static constexpr std::size_t most_pids = 128;
  int compute_pids(Handle device, std::span<std::uint32_t> pids, std::size_t& count) const;
  std::string why_no_pids(int code) const;

  // False too where the GPU knows no MIG.
  Reading<bool> mig_mode(Handle device) const;
  Reading<unsigned> mig_slots(Handle device) const;
  Reading<Handle> mig_instance(Handle device, unsigned slot) const;  // nullptr: the slot is empty

  // How a GPU is set up; a MIG instance is told nothing of it.
  Reading<double> set_power_limit(Handle device) const;  // watts, as an administrator has it
  Reading<double> default_power_limit(Handle device) const;
  Reading<bool> persistence(Handle device) const;
  Reading<bool> ecc(Handle device) const;
  enum class Domain { graphics = 0, memory = 2 };                 // nvmlClockType_t
  Reading<unsigned> max_clock(Handle device, Domain what) const;  // MHz
  // The clock that work is to have, where one is set.
  Reading<unsigned> application_clock(Handle device, Domain what) const;

 private:
  struct Table;
  explicit Nvml(std::unique_ptr<Table> table);
  template <class... Parameters, class... Arguments>
  std::string call(const char* name, int (*function)(Parameters...), Arguments... arguments) const;
  template <class T, class... Parameters, class... Arguments>
  static int fill(int (*function)(Parameters...), T& into, Arguments... arguments);
  int clock_mhz(Handle device, int type, double& value) const;
  int violation_s(Handle device, int policy, double& value) const;
  Reading<double> watts(const char* name, int (*function)(Handle, unsigned*), Handle device) const;
  Reading<unsigned> clock(const char* name, int (*function)(Handle, int, unsigned*), Handle device,
                          Domain what) const;
  std::unique_ptr<Table> table_;
};

struct Nvml::Opened {
  std::unique_ptr<Nvml> nvml;
  bool loaded = false;  // the library is there, whether or not it could be initialised
  std::string why;      // without nvml
};

}  // namespace controller::gpu
