// A small file of the kernel that is read again and again: opened once, read from its start into
// memory of the caller. Allocates nothing after it was opened.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace controller::telemetry {

class KernelFile {
 public:
  KernelFile() = default;
  explicit KernelFile(const std::string& path);  // errno says why it is not open
  KernelFile(KernelFile&& other) noexcept;
  KernelFile& operator=(KernelFile&& other) noexcept;
  ~KernelFile();
  explicit operator bool() const { return fd_ >= 0; }
  // What fits into the buffer, nullopt with errno when it cannot be read.
  std::optional<std::string_view> read(std::span<char> buffer) const;

 private:
  int fd_ = -1;
};

// One number that is all of a file. nullopt with errno; EINVAL where it is none.
std::optional<double> read_number(const KernelFile& file);
// The number after `key` and a blank at the start of a line.
std::optional<double> number_of(std::string_view text, std::string_view key);
// The first unsigned number in the text, after blanks, which is cut to what follows it.
std::optional<std::uint64_t> take_number(std::string_view& text);
// The start of a file that is read once, in memory of the caller; "" when it cannot be read.
// Allocates nothing.
std::string_view read_file(const char* path, std::span<char> buffer);
// A whole small file as text, "" when it cannot be read: for what is looked at once.
std::string whole_text(const std::string& path);

}  // namespace controller::telemetry
