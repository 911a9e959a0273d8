// Takes apart the engine's multiplexed stream: frames of 8 bytes {stream, 0, 0, 0, length as 32
// bits big-endian} and a payload. Stream 0 and 1 are stdout, 2 stderr, 3 a message of the engine
// itself. Frames are the writes of the payload, not lines, and may span reads. A container with a
// TTY has no frames: all bytes are stdout.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "container/engine.hpp"

namespace container {

class StreamDemux {
 public:
  enum class Format { framed, raw };
  explicit StreamDemux(Format format) : format_(format) {}

  void feed(std::string_view bytes);
  // What can be had of the bytes fed so far; a long frame is handed out in pieces as they come.
  // Throws EngineError (status 0) at bytes that are no frame.
  std::optional<OutputChunk> next();
  // True where the stream may end without loss: not inside a frame.
  bool at_boundary() const { return left_ == 0 && position_ == pending_.size(); }

 private:
  Format format_;
  std::string pending_;
  std::size_t position_ = 0;
  std::uint32_t left_ = 0;
  OutputChunk::Stream stream_ = OutputChunk::Stream::out;
};

}  // namespace container
