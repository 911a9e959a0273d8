// Text files, read once, and the names that places refer to.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <string_view>

namespace compose {

constexpr std::size_t largest_file = std::size_t{8} << 20;

// A text and what it is called in messages.
struct Source {
  std::string_view name;
  std::string text;
};

class Sources {
 public:
  // Files below `folder` are called by their way from it.
  explicit Sources(std::string folder) : folder_(std::move(folder)) {}
  Sources(const Sources&) = delete;
  Sources& operator=(const Sources&) = delete;

  // What a file is called; the view holds as long as this.
  std::string_view name(std::string path);
  // A regular file of at most `largest_file` bytes. Throws ComposeError with what is wrong with it.
  Source read(const std::string& path);

 private:
  std::string folder_;
  std::deque<std::string> names_;
};

// Whether something can be opened under this name.
bool exists(const std::string& path);
bool is_folder(const std::string& path);

// `path` as an absolute, clean path: "~" is `home`, what is relative begins at `folder`.
struct PathBase {
  std::string_view folder;
  std::string_view home;
};
std::string absolute(std::string_view path, PathBase base);
std::string folder_of(std::string_view path);
// Without "." and ".." and doubled slashes; "" is ".".
std::string clean(std::string_view path);

}  // namespace compose
