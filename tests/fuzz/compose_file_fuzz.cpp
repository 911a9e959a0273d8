// The compose loader: every text is a project or a list of errors, and what is printed of a project
// loads again to the same. The first line may be an env file's, behind "#env ".
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "compose/loader/loader.hpp"

namespace {

// In memory where there is such a place: a load reads files.
std::string make_folder() {
  std::string pattern =
      access("/dev/shm", W_OK) == 0 ? "/dev/shm/compose-fuzz-XXXXXX" : "/tmp/compose-fuzz-XXXXXX";
  return mkdtemp(pattern.data()) == nullptr ? std::string() : pattern;
}

struct Folder {
  std::string path = make_folder();
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
};

const std::string& folder() {
  static const Folder made;
  return made.path;
}

void write(const std::string& name, const std::string& text) {
  std::ofstream(folder() + "/" + name, std::ios::binary) << text;
}

std::string canonical(const char* file) {
  return compose::load_project({.files = {file},
                                .working_dir = folder(),
                                .project_dir = {},
                                .project_name = "fuzz",
                                .profiles = {"*"},
                                .environment_files = {"env"},
                                .environment = {{"HOME", "/home/me"}, {"SET", "value"}},
                                .services = {},
                                .format = compose::Format::yaml})
      .canonical;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const bool env = text.starts_with("#env ");
  write("env", env ? text.substr(5, text.find('\n') - 5) : "");
  write("compose.yaml", text);
  std::string once;
  try {
    once = canonical("compose.yaml");
  } catch (const compose::ComposeError& error) {
    if (error.diagnostics().empty()) abort();
    return 0;
  }
  if (once.size() > std::size_t{8} << 20) return 0;  // more than is read
  write("compose.yaml", once);
  if (canonical("compose.yaml") != once) abort();
  return 0;
}
