#include <algorithm>

#include "campaign/config/field_makers.hpp"

namespace campaign {

double config_gap(const Campaign& campaign) {
  if (campaign.thermal.mode == Thermal::Mode::none) return 0;
  if (campaign.execution.config_gap_written || campaign.thermal.mode != Thermal::Mode::fixed)
    return campaign.execution.config_gap_seconds;
  return unwritten_gap_seconds;
}

const Section* thermal_section() {
  using T = Thermal;
  static const Section section{
      .title = "thermal",
      .help = "How warm runs start (thermal.md). A gap that `execution` writes is fixed.",
      .fields = {
          choice_field<&T::mode>(
              "mode",
              "`fixed`: a pause of 60 s; `adaptive`: until the sensors are as cool as the target, "
              "or have stopped falling; `auto`: adaptive for runs that use GPUs, else no pause; "
              "`off`: no pause",
              {"auto", "fixed", "adaptive", "off"})
              .otherwise("auto")
              .like("adaptive"),
          number_field<&T::target_c>("target_c",
                                     "degrees Celsius; by default each sensor's own at the first "
                                     "run")
              .between(-50, 150)
              .like("45"),
          number_field<&T::band_c>("band_c", "how far above the target a run may start")
              .between(0, 100)
              .otherwise("3")
              .like("2"),
          number_field<&T::stable_c_per_min>(
              "stable_c_per_min", "what falls more slowly has stopped falling; 0: nothing has")
              .between(0, 100)
              .otherwise("1")
              .like("0.5"),
          duration_field<&T::max_wait>("max_wait", "no adaptive pause is longer")
              .from(1)
              .otherwise("900")
              .like("5m"),
          choice_field<&T::sensor>("sensor",
                                   "`gpu`: of the run's GPUs; `hwmon`: of the processors; `auto`: "
                                   "of its GPUs, without any of the processors",
                                   {"auto", "gpu", "hwmon"})
              .otherwise("auto")
              .like("hwmon")}};
  return &section;
}

}  // namespace campaign
