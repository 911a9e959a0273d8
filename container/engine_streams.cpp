#include "container/engine_streams.hpp"

#include "container/engine_json.hpp"

namespace container {

namespace {

constexpr std::size_t wait_body_limit = 1 << 20;

class DockerWait : public PendingWait {
 public:
  explicit DockerWait(std::shared_ptr<HttpStream> stream) : stream_(std::move(stream)) {}
  DockerWait(const DockerWait&) = delete;
  DockerWait& operator=(const DockerWait&) = delete;
  ~DockerWait() override { stream_->close(); }
  void cancel() override { stream_->close(); }

  Task<WaitResult> result() override {
    const auto stream = stream_;
    try {
      co_return engine_json::wait_result(co_await stream->read_all(0, wait_body_limit));
    } catch (const HttpError& error) {
      co_return WaitResult{.known = false,
                           .exit_code = 0,
                           .error = std::string("the engine's wait was cut: ") + error.what()};
    }
  }

 private:
  std::shared_ptr<HttpStream> stream_;
};

// What is read from a stream, taken apart.
class Demultiplexed {
 public:
  Demultiplexed(HttpStream& stream, StreamDemux::Format format) : stream_(stream), demux_(format) {}

  Task<std::optional<OutputChunk>> next() {
    for (;;) {
      if (auto chunk = demux_.next()) co_return chunk;
      const auto bytes = co_await read();
      if (!bytes) break;
      demux_.feed(*bytes);
    }
    if (!demux_.at_boundary())
      throw EngineError(0, "the output of the container was cut in the middle of a frame");
    co_return std::nullopt;
  }

 private:
  Task<std::optional<std::string>> read() {
    try {
      co_return co_await stream_.read();
    } catch (const HttpError& error) {
      throw EngineError(0, std::string("the output of the container was cut: ") + error.what());
    }
  }

  HttpStream& stream_;
  StreamDemux demux_;
};

class DockerOutput : public OutputStream {
 public:
  DockerOutput(std::unique_ptr<HttpStream> stream, StreamDemux::Format format)
      : stream_(std::move(stream)), output_(*stream_, format) {}
  Task<std::optional<OutputChunk>> next() override { return output_.next(); }

 private:
  std::unique_ptr<HttpStream> stream_;
  Demultiplexed output_;
};

class DockerExecStream : public ExecStream {
 public:
  DockerExecStream(std::unique_ptr<HttpStream> stream, StreamDemux::Format format)
      : stream_(std::move(stream)), output_(*stream_, format) {}
  Task<std::optional<OutputChunk>> next() override { return output_.next(); }
  Task<> write(const std::string& bytes) override {
    try {
      co_await stream_->write(bytes);
    } catch (const HttpError& error) {
      throw EngineError(0, std::string("the input of the command was cut: ") + error.what());
    }
  }
  void close_input() override { stream_->close_writing(); }

 private:
  std::unique_ptr<HttpStream> stream_;
  Demultiplexed output_;
};

class DockerEvents : public EventStream {
 public:
  explicit DockerEvents(std::unique_ptr<HttpStream> stream) : stream_(std::move(stream)) {}

  Task<std::optional<EngineEvent>> next() override {
    for (;;) {
      const auto end = pending_.find('\n');
      if (end == std::string::npos) {
        if (!co_await more()) co_return std::nullopt;
        continue;
      }
      const auto event = engine_json::event(pending_.substr(0, end));
      pending_.erase(0, end + 1);
      if (event) co_return event;
    }
  }

 private:
  Task<bool> more() {
    try {
      const auto bytes = co_await stream_->read();
      if (bytes) pending_ += *bytes;
      co_return bytes.has_value();
    } catch (const HttpError&) {
      co_return false;
    }
  }

  std::unique_ptr<HttpStream> stream_;
  std::string pending_;
};

}  // namespace

std::unique_ptr<PendingWait> make_pending_wait(std::unique_ptr<HttpStream> stream) {
  return std::make_unique<DockerWait>(std::move(stream));
}

std::unique_ptr<OutputStream> make_output_stream(std::unique_ptr<HttpStream> stream,
                                                 StreamDemux::Format format) {
  return std::make_unique<DockerOutput>(std::move(stream), format);
}

std::unique_ptr<ExecStream> make_exec_stream(std::unique_ptr<HttpStream> stream,
                                             StreamDemux::Format format) {
  return std::make_unique<DockerExecStream>(std::move(stream), format);
}

std::unique_ptr<EventStream> make_event_stream(std::unique_ptr<HttpStream> stream) {
  return std::make_unique<DockerEvents>(std::move(stream));
}

}  // namespace container
