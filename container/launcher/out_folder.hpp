#pragma once

#include <optional>
#include <string>

namespace container::launcher {

// The folder given with --out, held open, so that a rename of it under the launcher's feet does no
// harm. Files are made with mode 0600. Functions that return a string return what went wrong, empty
// for nothing.
class OutFolder {
 public:
  OutFolder() = default;
  ~OutFolder();
  OutFolder(const OutFolder&) = delete;
  OutFolder& operator=(const OutFolder&) = delete;

  std::string open(const std::string& path);

  // Makes `name` with `text`, exclusively: of any number of callers one gets `created`. It appears
  // whole, except on a file system without hard links, where a reader may see it empty for a
  // moment.
  enum class Claim { created, exists, failed };
  Claim claim(const char* name, const std::string& text);

  // A small file's text; nullopt: it is not there or not ours to read.
  std::optional<std::string> read(const char* name) const;

  // A new or emptied file for writing; -1 and errno on failure. Links are not followed.
  int create(const char* name) const;

  // Puts `text` in place as `name`, whole or not at all. Not durable: what the payload wrote is not
  // either, and an outcome that outlived it would vouch for results that are gone.
  std::string publish(const char* name, const std::string& text);

  // What made claim() fail.
  const std::string& error() const { return error_; }

 private:
  std::string write_temporary(const std::string& name, const std::string& text);

  int fd_ = -1;
  std::string error_;
};

}  // namespace container::launcher
