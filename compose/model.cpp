#include "compose/model.hpp"

namespace compose {

std::string_view text(Condition condition) {
  switch (condition) {
    case Condition::started:
      return "service_started";
    case Condition::healthy:
      return "service_healthy";
    case Condition::completed_successfully:
      return "service_completed_successfully";
  }
  return "";
}

std::string_view text(MountType type) {
  switch (type) {
    case MountType::bind:
      return "bind";
    case MountType::volume:
      return "volume";
    case MountType::tmpfs:
      return "tmpfs";
    case MountType::image:
      return "image";
  }
  return "";
}

std::string_view text(RestartPolicy policy) {
  switch (policy) {
    case RestartPolicy::no:
      return "no";
    case RestartPolicy::always:
      return "always";
    case RestartPolicy::on_failure:
      return "on-failure";
    case RestartPolicy::unless_stopped:
      return "unless-stopped";
  }
  return "";
}

}  // namespace compose
