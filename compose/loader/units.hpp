// Durations and sizes as compose files write them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace compose {

// "1m30s", "500ms", "1.5h", "1d": a number with a unit, once or more often; nanoseconds. Empty: it
// is none, or does not fit.
std::optional<std::int64_t> duration_ns(std::string_view text);
// "1m30s", "2h0m0s", "500ms", "0s".
std::string duration_text(std::int64_t ns);

// "64m", "1.5GiB", "100b", "4096": bytes; every unit is a power of 1024. "-1" is for the caller.
std::optional<std::int64_t> byte_count(std::string_view text);

}  // namespace compose
