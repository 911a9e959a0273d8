#pragma once

#include <string>

namespace container::launcher {

struct ProbeOptions;

// Whether a server answers: it accepts a connection, and over http answers a GET with a status from
// 200 to 399. Empty: it does; else what was seen instead.
std::string probe(const ProbeOptions& options);

}  // namespace container::launcher
