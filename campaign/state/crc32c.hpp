// CRC-32C (Castagnoli, reflected 0x82f63b78, as in iSCSI and ext4), and the trailer that records
// and snapshots carry.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace campaign {

std::uint32_t crc32c(std::string_view bytes);

// A sealed text is P + `,"crc32c":"%08x"}` where P is a JSON object without its closing brace; the
// sum is over P.
std::string sealed(std::string p);
// P of a sealed text (without a newline behind it); nothing when the trailer is absent or the sum
// is wrong.
std::optional<std::string_view> unsealed(std::string_view text);

inline constexpr std::string_view seal_begin = ",\"crc32c\":\"";
inline constexpr std::size_t seal_size = 11 + 8 + 2;

}  // namespace campaign
