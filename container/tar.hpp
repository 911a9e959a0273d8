// Reads the one file out of the tar archive in which an engine hands files over.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace container {

// The bytes of the first regular file; nullopt if there is none or the archive is cut. Understands
// ustar, pax and GNU archives; names are not looked at.
std::optional<std::string> first_file_in_tar(std::string_view archive);

}  // namespace container
