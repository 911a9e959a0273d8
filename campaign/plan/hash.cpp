#include "campaign/plan/hash.hpp"

#include <openssl/evp.h>

#include <array>
#include <stdexcept>

namespace campaign {
namespace {

using Digest = std::array<unsigned char, 32>;

Digest sha256(std::string_view text) {
  Digest digest{};
  unsigned int size = 0;
  const int done =
      EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha256(), nullptr);
  if (done != 1 || size != digest.size()) throw std::runtime_error("OpenSSL has no SHA-256");
  return digest;
}

}  // namespace

std::string sha256_hex(std::string_view text) {
  static constexpr std::string_view digits = "0123456789abcdef";
  std::string hex;
  hex.reserve(64);
  for (const unsigned char byte : sha256(text)) {
    hex += digits[byte >> 4U];
    hex += digits[byte & 15U];
  }
  return hex;
}

std::uint64_t sha256_leading64(std::string_view text) {
  const Digest digest = sha256(text);
  std::uint64_t leading = 0;
  for (std::size_t i = 0; i < 8; ++i) leading = (leading << 8U) | digest[i];
  return leading;
}

}  // namespace campaign
