#include "compose/loader/diagnostic.hpp"

namespace compose {
namespace {

std::string joined(const std::vector<Diagnostic>& diagnostics) {
  std::string all;
  for (const Diagnostic& diagnostic : diagnostics)
    all += (all.empty() ? "" : "\n") + diagnostic.text();
  return all;
}

}  // namespace

std::string Origin::text() const {
  if (line == 0) return file;
  return file + ":" + std::to_string(line) + ":" + std::to_string(column);
}

std::string Diagnostic::text() const {
  const std::string place = origin.text();
  return (place.empty() ? "" : place + ": ") + (key.empty() ? "" : key + ": ") + message;
}

ComposeError::ComposeError(std::vector<Diagnostic> diagnostics)
    : std::runtime_error(joined(diagnostics)), diagnostics_(std::move(diagnostics)) {}

}  // namespace compose
