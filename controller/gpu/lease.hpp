// A device is one campaign's at a time, over all users of a host: a flock on a file of its name in
// lease_folder(), which its holder's death releases. Files are never removed. A folder there is
// sticky and everybody's, so a file stays its maker's: others open it for reading, lock it all the
// same, and cannot write their name. So the text names a holder only while the kernel's list of
// locks
// (/proc/locks) agrees with it; else the holder is named from /proc.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "campaign/state/journal.hpp"

namespace controller::gpu {

// /run/lock where that is everybody's (Debian), else /dev/shm: all users of a host come to the
// same.
std::filesystem::path lease_folder(const std::filesystem::path& usual = "/run/lock");

// Released by the destructor or death.
class Lease {
 public:
  struct Request {
    std::filesystem::path folder = lease_folder();
    std::string uuid;
    std::string campaign;  // for those who ask who holds it
  };
  struct Attempt;
  // Never waits. Throws std::system_error when the file cannot be opened, or is no file.
  static Attempt take(const Request& request, const campaign::Clock& clock);
  virtual ~Lease() = default;
};
struct Lease::Attempt {
  std::unique_ptr<Lease> lease;  // nullptr: it is held
  std::string holder;            // by "pid 4711 on node7 since ..., campaign llm"
};

// Who holds it, in words; nullopt: nobody.
std::optional<std::string> lease_holder(const std::filesystem::path& folder,
                                        const std::string& uuid);

}  // namespace controller::gpu
