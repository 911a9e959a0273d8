#include "campaign/state/crc32c.hpp"

#include <charconv>

namespace campaign {

namespace {

struct Tables {
  std::uint32_t at[8][256];
};

constexpr Tables make_tables() {
  Tables tables{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) ? 0x82f63b78u : 0u);
    tables.at[0][i] = value;
  }
  for (std::size_t slice = 1; slice < 8; ++slice) {
    for (std::size_t i = 0; i < 256; ++i) {
      const std::uint32_t before = tables.at[slice - 1][i];
      tables.at[slice][i] = (before >> 8) ^ tables.at[0][before & 0xff];
    }
  }
  return tables;
}

constexpr Tables tables = make_tables();

std::uint32_t little_endian(const unsigned char* p) {
  return static_cast<std::uint32_t>(p[0]) | static_cast<std::uint32_t>(p[1]) << 8 |
         static_cast<std::uint32_t>(p[2]) << 16 | static_cast<std::uint32_t>(p[3]) << 24;
}

}  // namespace

std::uint32_t crc32c(std::string_view bytes) {
  const auto* p = reinterpret_cast<const unsigned char*>(bytes.data());
  const unsigned char* const end = p + bytes.size();
  const auto& t = tables.at;
  std::uint32_t crc = 0xffffffffu;
  for (; end - p >= 8; p += 8) {
    const std::uint32_t low = crc ^ little_endian(p);
    const std::uint32_t high = little_endian(p + 4);
    crc = t[7][low & 0xff] ^ t[6][(low >> 8) & 0xff] ^ t[5][(low >> 16) & 0xff] ^ t[4][low >> 24] ^
          t[3][high & 0xff] ^ t[2][(high >> 8) & 0xff] ^ t[1][(high >> 16) & 0xff] ^
          t[0][high >> 24];
  }
  for (; p != end; ++p) crc = (crc >> 8) ^ t[0][(crc ^ *p) & 0xff];
  return crc ^ 0xffffffffu;
}

std::string sealed(std::string p) {
  constexpr char digits[] = "0123456789abcdef";
  const std::uint32_t sum = crc32c(p);
  p += seal_begin;
  for (int shift = 28; shift >= 0; shift -= 4) p += digits[(sum >> shift) & 15];
  p += "\"}";
  return p;
}

std::optional<std::string_view> unsealed(std::string_view text) {
  if (text.size() < seal_size || !text.ends_with("\"}")) return std::nullopt;
  const std::size_t size = text.size() - seal_size;
  if (text.substr(size, seal_begin.size()) != seal_begin) return std::nullopt;
  const std::string_view digits = text.substr(size + seal_begin.size(), 8);
  if (digits.find_first_not_of("0123456789abcdef") != std::string_view::npos) return std::nullopt;
  std::uint32_t sum = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), sum, 16);
  const std::string_view p = text.substr(0, size);
  if (crc32c(p) != sum) return std::nullopt;
  return p;
}

}  // namespace campaign
