#include "container/stream_demux.hpp"

#include <algorithm>

namespace container {

namespace {

constexpr std::size_t header_size = 8;

std::uint32_t big_endian(std::string_view bytes) {
  std::uint32_t value = 0;
  for (const char c : bytes) value = (value << 8) | static_cast<unsigned char>(c);
  return value;
}

OutputChunk::Stream stream_of(std::string_view header) {
  const bool padded = header[1] == 0 && header[2] == 0 && header[3] == 0;
  if (!padded || static_cast<unsigned char>(header[0]) > 3) {
    throw EngineError(0, "the engine's output stream is damaged: a frame header was expected");
  }
  if (header[0] == 3) return OutputChunk::Stream::system;
  return header[0] == 2 ? OutputChunk::Stream::err : OutputChunk::Stream::out;
}

}  // namespace

void StreamDemux::feed(std::string_view bytes) {
  pending_.erase(0, position_);
  position_ = 0;
  pending_.append(bytes);
}

std::optional<OutputChunk> StreamDemux::next() {
  const auto view = [this] { return std::string_view(pending_).substr(position_); };
  if (format_ == Format::raw)
    left_ = static_cast<std::uint32_t>(std::min<std::size_t>(view().size(), 1U << 20));
  while (left_ == 0) {
    if (view().size() < header_size || format_ == Format::raw) return std::nullopt;
    stream_ = stream_of(view());
    left_ = big_endian(view().substr(4, 4));
    position_ += header_size;
  }
  const std::size_t size = std::min<std::size_t>(left_, view().size());
  if (size == 0) return std::nullopt;
  OutputChunk chunk{.stream = stream_, .data = std::string(view().substr(0, size))};
  position_ += size;
  left_ -= static_cast<std::uint32_t>(size);
  return chunk;
}

}  // namespace container
