#include "container/launcher/records.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cinttypes>
#include <cstdarg>
#include <cstdio>

#include "container/launcher/process_tree.hpp"

namespace container::launcher {
namespace {

[[gnu::format(printf, 2, 3)]] void add(std::string& text, const char* format, ...) {
  char piece[512];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(piece, sizeof piece, format, arguments);
  va_end(arguments);
  text += piece;
}

std::string number_or_null(bool there, std::int64_t value) {
  return there ? std::to_string(value) : "null";
}

std::string text_or_null(const std::string& text) { return text.empty() ? "null" : quoted(text); }

double seconds(const timespec& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

// Length of the UTF-8 sequence at `at`; 0: there is none.
std::size_t sequence_at(const std::string& text, std::size_t at) {
  const auto byte = [&](std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
  };
  const unsigned first = byte(at), second = byte(at + 1);
  const std::size_t length = first < 0x80   ? 1
                             : first < 0xc2 ? 0
                             : first < 0xe0 ? 2
                             : first < 0xf0 ? 3
                             : first < 0xf5 ? 4
                                            : 0;
  for (std::size_t i = 1; i < length; ++i)
    if ((byte(at + i) & 0xc0) != 0x80) return 0;
  const bool overlong = (first == 0xe0 && second < 0xa0) || (first == 0xf0 && second < 0x90);
  const bool outside = (first == 0xed && second > 0x9f) || (first == 0xf4 && second > 0x8f);
  return overlong || outside ? 0 : length;
}

void add_times(std::string& text, const Outcome& outcome) {
  add(text, ",\"start_mono_ns\":%" PRId64 ",\"end_mono_ns\":%" PRId64, outcome.start.mono_ns,
      outcome.end.mono_ns);
  add(text, ",\"start_boottime\":%.9f,\"end_boottime\":%.9f", seconds(outcome.start.boottime),
      seconds(outcome.end.boottime));
  add(text, ",\"start_utc\":%.6f,\"end_utc\":%.6f", seconds(outcome.start.utc),
      seconds(outcome.end.utc));
  text += ",\"boot\":" + quoted(boot_id());
}

void add_usage(std::string& text, const rusage& used) {
  const auto total = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  add(text, ",\"rusage\":{\"user_s\":%.6f,\"system_s\":%.6f,\"max_rss_kb\":%ld",
      total(used.ru_utime), total(used.ru_stime), used.ru_maxrss);
  add(text, ",\"minor_faults\":%ld,\"major_faults\":%ld,\"in_blocks\":%ld,\"out_blocks\":%ld",
      used.ru_minflt, used.ru_majflt, used.ru_inblock, used.ru_oublock);
  add(text, ",\"voluntary_switches\":%ld,\"involuntary_switches\":%ld}", used.ru_nvcsw,
      used.ru_nivcsw);
}

void add_streams(std::string& text, const Outcome& outcome) {
  const auto one = [&](const char* name, const Outcome::Stream& stream) {
    add(text, ",\"%s\":{\"bytes\":%" PRIu64 ",\"kept\":%" PRIu64 "}", name, stream.bytes,
        stream.kept);
  };
  one("stdout", outcome.out);
  one("stderr", outcome.err);
  text += ",\"log_error\":" + text_or_null(outcome.log_error);
}

}  // namespace

std::string quoted(const std::string& text) {
  std::string result = "\"";
  for (std::size_t i = 0; i < text.size();) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const std::size_t length = sequence_at(text, i);
    if (byte == '"' || byte == '\\') {
      result += '\\';
      result += text[i];
    } else if (byte < 0x20) {
      add(result, "\\u%04x", byte);
    } else if (length == 0) {
      result += "\xef\xbf\xbd";
    } else {
      result.append(text, i, length);
    }
    i += length == 0 ? 1 : length;
  }
  return result + "\"";
}

std::string outcome_json(const Outcome& outcome) {
  std::string text = "{\"v\":1,\"run\":" + quoted(outcome.run);
  text += ",\"exit_code\":" + number_or_null(outcome.signal == 0, outcome.exit_code);
  text += ",\"signal\":" + number_or_null(outcome.signal != 0, outcome.signal);
  text += ",\"exec_error\":";
  text += outcome.exec_errno == 0 ? "null"
                                  : "{\"errno\":" + std::to_string(outcome.exec_errno) +
                                        ",\"message\":" + quoted(outcome.exec_message) + "}";
  add_times(text, outcome);
  add_usage(text, outcome.used);
  add_streams(text, outcome);
  text += ",\"window\":{\"begin_mono_ns\":" +
          number_or_null(outcome.window_begin_ns >= 0, outcome.window_begin_ns);
  text +=
      ",\"end_mono_ns\":" + number_or_null(outcome.window_end_ns >= 0, outcome.window_end_ns) + "}";
  add(text, ",\"killed_descendants\":%d,\"left_descendants\":%d", outcome.killed_descendants,
      outcome.left_descendants);
  return text + ",\"stopped_by\":" + text_or_null(outcome.stopped_by) + "}\n";
}

std::string boot_id() {
  char text[64];
  const int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
  const ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text);
  if (fd >= 0) close(fd);
  return n >= 36 ? std::string(text, 36) : "";
}

namespace {

std::string mark(const std::string& quoted_run, int pid, std::uint64_t started) {
  std::string text;
  add(text, "%d.%" PRIu64 ".", pid, started);
  return text + quoted_run;
}

}  // namespace

std::string own_mark(const std::string& run) {
  Process self;
  read_process(getpid(), self);
  return mark(quoted(run), getpid(), self.started);
}

std::string mark_of(const Begun& begun) {
  return std::string(mark_name) + "=" + mark("\"" + begun.run + "\"", begun.pid, begun.started);
}

std::string begun_json(const std::string& run) {
  Process self;
  read_process(getpid(), self);
  const Moment now = Moment::now();
  std::string text = "{\"v\":1,\"run\":" + quoted(run);
  add(text, ",\"pid\":%d,\"pid_start\":%" PRIu64, static_cast<int>(getpid()), self.started);
  text += ",\"boot\":" + quoted(boot_id());
  add(text, ",\"boottime\":%.9f,\"utc\":%.6f}\n", seconds(now.boottime), seconds(now.utc));
  return text;
}

std::string fence_json() {
  const Moment now = Moment::now();
  std::string text =
      "{\"v\":1,\"run\":\"\",\"pid\":0,\"pid_start\":0,\"boot\":" + quoted(boot_id());
  add(text, ",\"boottime\":%.9f,\"utc\":%.6f}\n", seconds(now.boottime), seconds(now.utc));
  return text;
}

bool read_begun(const std::string& text, Begun& begun) {
  const std::string head = "{\"v\":1,\"run\":\"";
  const auto end = text.rfind("\",\"pid\":");
  if (!text.starts_with(head) || !text.ends_with("}\n") || end == std::string::npos) return false;
  begun.run = text.substr(head.size(), end - head.size());
  char boot[64] = "";
  const int read =
      sscanf(text.c_str() + end, "\",\"pid\":%d,\"pid_start\":%" SCNu64 ",\"boot\":\"%36[^\"]",
             &begun.pid, &begun.started, boot);
  begun.boot = boot;
  return read >= 2;
}

}  // namespace container::launcher
