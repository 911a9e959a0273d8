#include <nlohmann/json.hpp>

#include "container/digest.hpp"
#include "container/engine.hpp"

namespace container {

std::string ImageInfo::identity() const {
  const nlohmann::json canonical = {{"Layers", layers},
                                    {"Config",
                                     {{"Entrypoint", entrypoint},
                                      {"Cmd", command},
                                      {"Env", env},
                                      {"WorkingDir", workdir},
                                      {"User", user}}}};
  return sha256_hex(canonical.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

}  // namespace container
