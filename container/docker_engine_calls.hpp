// How the verbs of docker_engine ask: paths, and how long an answer may take.
#pragma once

#include <string>

#include "container/engine_session.hpp"

namespace container {

// Percent-encoded; letters, digits and -_.~ stay, and what `also_plain` lists.
std::string escaped(const std::string& text, const std::string& also_plain = {});
std::string short_id(const std::string& id);

class EngineCalls {
 public:
  explicit EngineCalls(const DockerEngineOptions& options) : options_(options) {}

  EngineCall get(std::string path, std::string what) const;
  // For what answers at once and must not be done twice.
  EngineCall post(std::string path, std::string what) const;
  // For what may take the engine a while and may be repeated.
  EngineCall change(std::string method, std::string path, std::string what) const;

 private:
  const DockerEngineOptions& options_;
};

}  // namespace container
