// What the machine tells of itself: energy of its packages and memory by RAPL, temperatures of its
// processors by hwmon.
#pragma once

#include "controller/telemetry/sensor.hpp"

namespace controller::telemetry {

// /sys/class/powercap: one counter in joules for each package and each DRAM domain,
// "rapl.package-0", "rapl.package-0.dram". Other domains are parts of these, or contain them.
Found open_rapl(const Roots& roots);

// /sys/class/hwmon: the package temperatures of processors in degrees Celsius,
// "hwmon.coretemp.Package id 0"; chips of disks and other devices are left alone, as asking them
// disturbs them.
Found open_hwmon(const Roots& roots);

}  // namespace controller::telemetry
