// The tar archives in which files go to and from an engine.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace container {

// The bytes of the first regular file; nullopt if there is none or the archive is cut. Understands
// ustar, pax and GNU archives; names are not looked at.
std::optional<std::string> first_file_in_tar(std::string_view archive);

struct TarFile {
  std::string path;  // relative; the engine makes missing folders on the way
  std::string content;
  int mode = 0644, uid = 0, gid = 0;
};
// A ustar archive of these files, timeless. std::invalid_argument for a path longer than 100 bytes.
std::string make_tar(const std::vector<TarFile>& files);

}  // namespace container
