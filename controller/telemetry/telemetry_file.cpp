#include "controller/telemetry/telemetry_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "campaign/state/files.hpp"

namespace controller::telemetry {

TelemetryFile::TelemetryFile(const std::filesystem::path& path, How how) : path_(path) {
  try {
    campaign::make_scratch_folders(path.parent_path());
  } catch (const std::exception& error) {
    problem_ = error.what();
    return;
  }
  const int mode = how == How::afresh ? O_TRUNC : 0;
  fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC | mode, 0600);
  if (fd_ < 0) {
    fail();
    return;
  }
  // A controller that was killed may have left half a line.
  const off_t size = ::lseek(fd_, 0, SEEK_END);
  char last = '\n';
  if (size > 0 && ::pread(fd_, &last, 1, size - 1) == 1 && last != '\n') append("\n");
}

TelemetryFile::~TelemetryFile() {
  if (fd_ >= 0) ::close(fd_);
}

void TelemetryFile::fail() { problem_ = path_.string() + ": " + std::strerror(errno); }

void TelemetryFile::append(const std::string& lines) {
  std::size_t done = 0;
  while (fd_ >= 0 && problem_.empty() && done < lines.size()) {
    const ssize_t wrote = ::write(fd_, lines.data() + done, lines.size() - done);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return fail();
    done += static_cast<std::size_t>(wrote);
  }
}

bool has_ended(const std::filesystem::path& file) {
  constexpr std::streamoff longest_line = 1 << 16;
  std::ifstream in(file, std::ios::binary | std::ios::ate);
  const std::streamoff size = in ? std::streamoff{in.tellg()} : 0;
  in.seekg(std::max<std::streamoff>(0, size - longest_line));
  std::string last;
  for (std::string line; std::getline(in, line);) last = in.eof() ? "" : line;
  return last.starts_with("{\"end\":");
}

}  // namespace controller::telemetry
