#include "container/stream_demux.hpp"

#include <gtest/gtest.h>

#include "container/tar.hpp"

namespace container {
namespace {

std::string frame(char stream, const std::string& payload) {
  std::string bytes(8, '\0');
  bytes[0] = stream;
  for (int i = 0; i < 4; ++i)
    bytes[static_cast<std::size_t>(7 - i)] = static_cast<char>(payload.size() >> (8 * i));
  return bytes + payload;
}

struct Joined {
  std::string out, err, system;
};

void take(StreamDemux& demux, Joined& into) {
  while (const auto chunk = demux.next()) {
    auto& text = chunk->stream == OutputChunk::Stream::out   ? into.out
                 : chunk->stream == OutputChunk::Stream::err ? into.err
                                                             : into.system;
    text += chunk->data;
  }
}

TEST(StreamDemux, FramesComeApartWhereverTheReadsAreCut) {
  const auto bytes = frame(1, "hello ") + frame(2, "bad") + frame(1, "") + frame(0, "world") +
                     frame(3, "engine") + frame(1, std::string(300, 'x'));
  for (std::size_t step = 1; step <= bytes.size(); ++step) {
    StreamDemux demux(StreamDemux::Format::framed);
    Joined joined;
    for (std::size_t at = 0; at < bytes.size(); at += step) {
      demux.feed(bytes.substr(at, step));
      take(demux, joined);
    }
    EXPECT_EQ(joined.out, "hello world" + std::string(300, 'x')) << step;
    EXPECT_EQ(joined.err, "bad");
    EXPECT_EQ(joined.system, "engine");
    EXPECT_TRUE(demux.at_boundary());
  }
}

TEST(StreamDemux, ACutFrameIsSeen) {
  const auto bytes = frame(1, "hello");
  for (std::size_t length = 1; length < bytes.size(); ++length) {
    StreamDemux demux(StreamDemux::Format::framed);
    Joined joined;
    demux.feed(bytes.substr(0, length));
    take(demux, joined);
    EXPECT_FALSE(demux.at_boundary()) << length;
    EXPECT_EQ(joined.out, length > 8 ? bytes.substr(8, length - 8) : "");
  }
}

TEST(StreamDemux, BytesThatAreNoFrameAreAnError) {
  for (const std::string text : {"plain text", "\x04\0\0\0\0\0\0\0"}) {
    StreamDemux demux(StreamDemux::Format::framed);
    demux.feed(text.size() < 8 ? std::string("\x04\0\0\0\0\0\0\0", 8) : text);
    EXPECT_THROW(demux.next(), EngineError);
  }
}

TEST(StreamDemux, RawBytesAreAllStdout) {
  StreamDemux demux(StreamDemux::Format::raw);
  Joined joined;
  demux.feed("a\r\n");
  take(demux, joined);
  demux.feed(std::string("\0b", 2));
  take(demux, joined);
  EXPECT_EQ(joined.out, std::string("a\r\n\0b", 5));
  EXPECT_TRUE(demux.at_boundary());
}

std::string tar_entry(char type, const std::string& payload) {
  std::string header(512, '\0');
  header[0] = 'n';
  header[156] = type;
  std::snprintf(&header[124], 12, "%011zo", payload.size());
  auto padded = payload;
  padded.resize((payload.size() + 511) / 512 * 512, '\0');
  return header + padded;
}

TEST(Tar, FirstRegularFileIsFoundBehindOtherEntries) {
  const std::string end(1024, '\0');
  EXPECT_EQ(first_file_in_tar(tar_entry('0', "abc") + end), "abc");
  EXPECT_EQ(first_file_in_tar(tar_entry('0', "") + end), "");
  EXPECT_EQ(first_file_in_tar(tar_entry('5', "") + tar_entry('L', std::string(600, 'n')) +
                              tar_entry('0', "x") + end),
            "x");
  EXPECT_EQ(first_file_in_tar(tar_entry('x', "12 size=2\n") + tar_entry('0', "xy") + end), "xy");
}

TEST(Tar, NothingIsMadeUpFromACutArchive) {
  const auto whole = tar_entry('0', std::string(700, 'a'));
  for (std::size_t length = 0; length < 512 + 700; ++length) {
    EXPECT_FALSE(first_file_in_tar(std::string_view(whole).substr(0, length))) << length;
  }
  EXPECT_FALSE(first_file_in_tar(tar_entry('5', "") + std::string(1024, '\0')));
}

}  // namespace
}  // namespace container
