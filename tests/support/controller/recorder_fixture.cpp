#include "tests/support/controller/recorder_fixture.hpp"

#include <fcntl.h>

#include <fstream>

namespace controller::telemetry {

void RecorderTest::add_rapl(double watts) {
  const fs::path zone = folder_ / "sys/class/powercap/intel-rapl:0";
  fs::create_directories(zone);
  std::ofstream(zone / "name") << "package-0\n";
  std::ofstream(zone / "max_energy_range_uj") << "262143328850\n";
  std::ofstream(zone / "energy_uj") << "000000000001\n";
  counting_ = std::jthread([zone, watts](const std::stop_token& stop) {
    const int fd = ::open((zone / "energy_uj").c_str(), O_WRONLY);
    const double begin = campaign::system_clock().boottime();
    while (!stop.stop_requested()) {
      char text[16];
      const double joules = (campaign::system_clock().boottime() - begin) * watts;
      std::snprintf(text, sizeof text, "%012.0f", joules * 1e6);
      EXPECT_EQ(::pwrite(fd, text, 12, 0), 12);
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    ::close(fd);
  });
}

}  // namespace controller::telemetry
