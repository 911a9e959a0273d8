// A temporary folder with a campaign file in it, for the tests of campaign/config.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "campaign/config/loader.hpp"

namespace campaign {

class Folder {
 public:
  Folder() {
    std::string path = testing::TempDir() + "config-XXXXXX";
    path_ = mkdtemp(path.data());
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  std::string write(const std::string& name, const std::string& text) const {
    std::filesystem::create_directories(std::filesystem::path(*this / name).parent_path());
    std::ofstream(*this / name, std::ios::binary) << text;
    return *this / name;
  }
  // Without the folder's own path, so that messages compare.
  std::string relative(std::string text) const {
    const std::string prefix = path_ + "/";
    for (auto at = text.find(prefix); at != text.npos; at = text.find(prefix))
      text.erase(at, prefix.size());
    return text;
  }

 private:
  std::string path_;
};

inline Environment fixed_environment() {
  return [](const std::string& name) -> std::optional<std::string> {
    if (name == "N") return "7";
    if (name == "EMPTY") return "";
    if (name == "TEXT") return "some: text";
    return std::nullopt;
  };
}

inline Campaign load(const Folder& folder, const std::string& text,
                     std::vector<std::string> sets = {}) {
  return load_campaign({.path = folder.write("campaign.yaml", text),
                        .sets = std::move(sets),
                        .environment = fixed_environment(),
                        .document = {}});
}

template <class Action>
std::string error_of(const Folder& folder, Action action) {
  try {
    action();
  } catch (const ConfigError& e) {
    return folder.relative(e.what());
  }
  return "no error";
}

inline std::string load_error(const Folder& folder, const std::string& text,
                              std::vector<std::string> sets = {}) {
  return error_of(folder, [&] { load(folder, text, std::move(sets)); });
}

}  // namespace campaign
