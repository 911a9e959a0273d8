#include "container/tar.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <stdexcept>

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

std::string header(const TarFile& file) {
  std::string text(block, '\0');
  const auto put = [&text](std::size_t at, const std::string& value) {
    std::copy(value.begin(), value.end(), text.begin() + static_cast<std::ptrdiff_t>(at));
  };
  const auto octal = [](std::uint64_t value, int digits) {
    char digits_of_it[24];
    std::snprintf(digits_of_it, sizeof digits_of_it, "%0*llo", digits,
                  static_cast<unsigned long long>(value));
    return std::string(digits_of_it);
  };
  put(0, file.path);
  put(100, octal(static_cast<std::uint64_t>(file.mode), 7));
  put(108, octal(static_cast<std::uint64_t>(file.uid), 7));
  put(116, octal(static_cast<std::uint64_t>(file.gid), 7));
  put(124, octal(file.content.size(), 11));
  put(136, octal(0, 11));
  put(148, std::string(8, ' '));
  text[156] = '0';
  put(257, std::string("ustar\00000", 8));
  std::uint64_t sum = 0;
  for (const char c : text) sum += static_cast<unsigned char>(c);
  put(148, octal(sum, 6) + std::string("\0 ", 2));
  return text;
}

}  // namespace

std::string make_tar(const std::vector<TarFile>& files) {
  std::string archive;
  for (const TarFile& file : files) {
    if (file.path.size() > 100)
      throw std::invalid_argument("a path of more than 100 bytes for an archive: " + file.path);
    archive += header(file) + file.content;
    archive.append((block - file.content.size() % block) % block, '\0');
  }
  return archive.append(2 * block, '\0');
}

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
