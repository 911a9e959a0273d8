#include "campaign/metrics/text.hpp"
#include "campaign/results/results.hpp"

namespace campaign {
namespace {

std::string last_codepoints(std::string text, std::size_t bytes) {
  if (text.size() <= bytes) return text;
  std::size_t cut = text.size() - bytes;
  while (cut < text.size() && (static_cast<unsigned char>(text[cut]) & 0xC0) == 0x80) ++cut;
  return text.substr(cut);
}

}  // namespace

std::string log_tail(const std::filesystem::path& log, const TailLimit& limit) {
  const Fd fd = open_regular(log);
  std::string tail;
  if (!fd || limit.lines == 0) return tail;
  std::size_t lines = 0;
  each_line_backwards(fd.get(), [&](std::string_view line) {
    std::string clean = valid_utf8(line);
    if (lines > 0) clean += '\n';
    tail.insert(0, clean);
    return ++lines < limit.lines && tail.size() < limit.bytes;
  });
  return last_codepoints(std::move(tail), limit.bytes);
}

}  // namespace campaign
