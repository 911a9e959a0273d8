// A folder with compose files of a test, and what loading them gives.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "compose/loader/loader.hpp"

namespace compose {

class ComposeFolder {
 public:
  ComposeFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "compose-XXXXXX").string();
    top_ = ::mkdtemp(pattern.data());
    std::filesystem::create_directory(path());
  }
  ~ComposeFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(top_, ignored);
  }
  ComposeFolder(const ComposeFolder&) = delete;
  ComposeFolder& operator=(const ComposeFolder&) = delete;

  std::string path() const { return top_ + "/project"; }
  std::string operator/(const std::string& name) const { return path() + "/" + name; }
  void write(const std::string& name, const std::string& text) const {
    const std::filesystem::path file = *this / name;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }
  LoadRequest request() const {
    return {.files = {},
            .working_dir = path(),
            .project_dir = {},
            .project_name = {},
            .profiles = {},
            .environment_files = {},
            .environment = {{"HOME", "/home/me"}},
            .services = {}};
  }

 private:
  std::string top_;
};

// What is wrong with it, a line each; "" if nothing is.
inline std::string error_of(const LoadRequest& request) {
  try {
    load_project(request);
    return "";
  } catch (const ComposeError& error) {
    return error.what();
  }
}

inline Project loaded(const std::string& text, const StringMap& environment = {}) {
  const ComposeFolder folder;
  folder.write("compose.yaml", text);
  LoadRequest request = folder.request();
  request.environment.insert(environment.begin(), environment.end());
  return load_project(request).project;
}

// The only service of a file.
inline Service service_of(const std::string& text) {
  const Project project = loaded(text);
  EXPECT_EQ(project.services.size(), 1u);
  return project.services.empty() ? Service{} : project.services.begin()->second;
}

}  // namespace compose
