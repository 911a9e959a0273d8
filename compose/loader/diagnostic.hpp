// What is wrong with a compose file, and where.
#pragma once

#include <stdexcept>
#include <string>
#include <vector>

namespace compose {

// Where something stands. line and column count from 1; 0 = the file as a whole.
struct Origin {
  std::string file;
  int line = 0;
  int column = 0;
  std::string text() const;  // "compose.yaml:3:7", or the file alone
};

struct Diagnostic {
  Origin origin;
  std::string key;  // dotted, "" for the whole file
  std::string message;
  std::string text() const;  // "compose.yaml:3:7: services.a.imag: unknown key; did you mean ..."
};

// Thrown with every diagnostic; what() is their texts, a line each.
class ComposeError : public std::runtime_error {
 public:
  explicit ComposeError(std::vector<Diagnostic> diagnostics);
  const std::vector<Diagnostic>& diagnostics() const { return diagnostics_; }

 private:
  std::vector<Diagnostic> diagnostics_;
};

}  // namespace compose
