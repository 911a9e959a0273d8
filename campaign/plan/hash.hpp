// SHA-256 (OpenSSL) of a text: identities of experiments, the default seed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace campaign {

std::string sha256_hex(std::string_view text);          // 64 lower-case digits
std::uint64_t sha256_leading64(std::string_view text);  // the first 8 bytes, big-endian

}  // namespace campaign
