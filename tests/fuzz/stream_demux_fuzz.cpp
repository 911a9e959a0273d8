// The demultiplexer: what comes out does not depend on how the bytes were cut into reads.
#include <cstdlib>
#include <string>

#include "container/stream_demux.hpp"

namespace {

struct Output {
  std::string out, err, system;
  bool refused = false, at_boundary = false;
  bool operator==(const Output&) const = default;
};

Output demultiplex(std::string_view bytes, std::size_t piece) {
  container::StreamDemux demux(container::StreamDemux::Format::framed);
  Output output;
  try {
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
      demux.feed(bytes.substr(at, piece));
      while (const auto chunk = demux.next()) {
        using Stream = container::OutputChunk::Stream;
        (chunk->stream == Stream::out   ? output.out
         : chunk->stream == Stream::err ? output.err
                                        : output.system) += chunk->data;
      }
    }
    output.at_boundary = demux.at_boundary();
  } catch (const container::EngineError&) {
    output.refused = true;
  }
  return output;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::size_t piece = 1 + data[0] % 16;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (demultiplex(bytes, piece) != demultiplex(bytes, bytes.size())) std::abort();
  return 0;
}
