// NVIDIA's management library, opened at run time: nothing is linked and no header is needed, so
// one binary serves hosts with and without it. One object owns the library and its table of
// symbols; a call that this driver's library does not have is unavailable by itself, the others
// work. A new reading is a row in the table of nvml.cpp and a method here.
//
// Every call may block for as long as the driver does; give an object a thread that may hang
// (bounded.hpp). NVML itself is thread-safe, but this class is used by one thread at a time.
#pragma once

#include <memory>

#include "controller/gpu/device.hpp"

namespace controller::gpu {

inline constexpr char nvml_library[] = "libnvidia-ml.so.1";

class Nvml {
 public:
  struct Opened;
  // Loads (through the dynamic linker's search path, or by a path with a slash) and initialises it.
  static Opened open(const std::string& library);
  Nvml(const Nvml&) = delete;
  Nvml& operator=(const Nvml&) = delete;
  ~Nvml();

  // A GPU or a MIG instance, as the library knows it; valid while this object lives.
  using Handle = void*;
  // Its number `pid`, bytes; no memory is told where the driver does not account for it.
  struct Process {
    std::int64_t pid = 0;
    Reading<std::uint64_t> memory;
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
