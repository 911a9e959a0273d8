#include "container/tar.hpp"

#include <cstdint>

namespace container {

namespace {

constexpr std::size_t block = 512;

std::optional<std::uint64_t> number(std::string_view field) {
  std::uint64_t value = 0;
  if (static_cast<unsigned char>(field.front()) == 0x80) {
    for (const char c : field.substr(4)) value = (value << 8) | static_cast<unsigned char>(c);
    return value;
  }
  for (const char c : field) {
    if (c == '\0' || c == ' ') continue;
    if (c < '0' || c > '7') return std::nullopt;
    value = value * 8 + static_cast<std::uint64_t>(c - '0');
  }
  return value;
}

std::optional<std::uint64_t> size_in_pax(std::string_view records) {
  const auto key = records.find(" size=");
  if (key == std::string_view::npos) return std::nullopt;
  std::uint64_t value = 0;
  for (const char c : records.substr(key + 6)) {
    if (c < '0' || c > '9') break;
    value = value * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return value;
}

}  // namespace

std::optional<std::string> first_file_in_tar(std::string_view archive) {
  std::optional<std::uint64_t> pax_size;
  while (archive.size() >= block && archive.front() != '\0') {
    const char type = archive[156];
    auto size = number(archive.substr(124, 12));
    if (!size) return std::nullopt;
    archive.remove_prefix(block);
    const bool regular = type == '0' || type == '\0';
    if (regular && pax_size) size = pax_size;
    if (*size > archive.size()) return std::nullopt;
    if (regular) return std::string(archive.substr(0, *size));
    if (type == 'x') pax_size = size_in_pax(archive.substr(0, *size));
    const auto padded = (*size + block - 1) / block * block;
    archive.remove_prefix(padded < archive.size() ? padded : archive.size());
  }
  return std::nullopt;
}

}  // namespace container
