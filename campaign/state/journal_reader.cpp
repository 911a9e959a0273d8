#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "campaign/state/crc32c.hpp"
#include "campaign/state/descriptor.hpp"
#include "campaign/state/files.hpp"
#include "campaign/state/journal.hpp"
#include "campaign/state/json_text.hpp"
#include "campaign/state/members.hpp"
#include "campaign/state/writer_name.hpp"

namespace campaign {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view record_begin = "{\"v\":";
constexpr std::string_view repaired_begin = "{\"repaired\":";
constexpr std::size_t runs_named = 20;

std::vector<fs::path> journal_files(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code gone;
  for (const auto& entry : fs::directory_iterator(folder, gone)) {
    if (entry.path().extension() == ".jsonl" && entry.is_regular_file())
      files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end(), [](const fs::path& a, const fs::path& b) {
    const std::string left = a.stem(), right = b.stem();
    return std::pair(generation_of(left), left) < std::pair(generation_of(right), right);
  });
  return files;
}

bool decodes(std::string_view line) {
  try {
    decode_record(std::string(line));
    return true;
  } catch (const std::exception&) {
    return false;
  }
}

std::vector<std::string> runs_in(std::string_view text) {
  std::vector<std::string> runs;
  constexpr std::string_view key = "\"run\":\"";
  for (std::size_t at = text.find(key); at != std::string_view::npos; at = text.find(key, at + 1)) {
    const std::size_t begin = at + key.size();
    const std::size_t end = text.find('"', begin);
    if (end == std::string_view::npos || runs.size() == runs_named) break;
    std::string run = json_text::clean(text.substr(begin, end - begin), 256);
    if (std::find(runs.begin(), runs.end(), run) == runs.end()) runs.push_back(std::move(run));
  }
  return runs;
}

std::string fault_of(std::string_view text) {
  if (text.find('\0') != std::string_view::npos) return "zeroed";
  try {
    decode_record(std::string(text));
  } catch (const json_text::Error&) {
    return "not JSON";
  } catch (const std::runtime_error& error) {
    if (std::string_view(error.what()) != "bad crc") return error.what();
  }
  try {
    json_text::ObjectReader reader(text);
  } catch (const json_text::Error&) {
    return "not JSON";
  }
  return "bad crc";
}

// Reads one file in blocks and hands out its lines; the last one may lack its newline.
class Lines {
 public:
  Lines(const fs::path& path, std::int64_t from) : path_(path), offset_(from) {
    file_ = Descriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file_) throw_errno("cannot read", path);
    if (::lseek(file_.get(), from, SEEK_SET) < 0) throw_errno("cannot read", path);
  }

  // The line without its newline; valid until the next call.
  bool next(std::string_view& line, bool& whole) {
    consume();
    std::size_t searched = 0;
    while (true) {
      const std::size_t found = buffer_.find('\n', begin_ + searched);
      if (found != std::string::npos || !fill(searched)) {
        whole = found != std::string::npos;
        taken_ = (whole ? found + 1 : buffer_.size()) - begin_;
        line = std::string_view(buffer_).substr(begin_, taken_ - (whole ? 1 : 0));
        return taken_ > 0;
      }
    }
  }
  std::int64_t offset() const { return offset_; }  // of the line that was handed out

 private:
  void consume() {
    begin_ += taken_;
    offset_ += static_cast<std::int64_t>(taken_);
    taken_ = 0;
  }
  bool fill(std::size_t& searched) {
    searched = buffer_.size() - begin_;
    buffer_.erase(0, begin_);
    begin_ = 0;
    const std::size_t size = buffer_.size();
    buffer_.resize(size + block);
    ssize_t n = 0;
    do {
      n = ::read(file_.get(), buffer_.data() + size, block);
    } while (n < 0 && errno == EINTR);
    if (n < 0) throw_errno("cannot read", path_);
    buffer_.resize(size + static_cast<std::size_t>(n));
    return n > 0;
  }

  static constexpr std::size_t block = std::size_t{1} << 16;
  fs::path path_;
  Descriptor file_;
  std::string buffer_;
  std::size_t begin_ = 0;
  std::size_t taken_ = 0;
  std::int64_t offset_ = 0;
};

class FileReader {
 public:
  FileReader(const fs::path& path, JournalReading& reading,
             const std::function<void(Record&&)>& take)
      : path_(path), writer_(path.stem()), reading_(reading), take_(take) {}

  void read(std::int64_t from) {
    reading_.offsets[writer_] = from;
    if (from > 0)
      boot_ = first_boot();
    else
      next_seq_ = 1;
    Lines lines(path_, from);
    std::string_view line;
    for (bool whole = true; lines.next(line, whole);) take_line(line, lines.offset(), whole);
    end_of_file();
  }

 private:
  std::string first_boot() const {
    Lines lines(path_, 0);
    std::string_view line;
    bool whole = false;
    if (!lines.next(line, whole)) return "";
    try {
      return decode_record(std::string(line)).boot;
    } catch (const std::exception&) {
      return "";
    }
  }

  void take_line(std::string_view line, std::int64_t offset, bool whole) {
    if (!whole) line = line.substr(0, line.find_last_not_of('\0') + 1);
    if (line.empty() && !whole) return;
    if (try_record(line, offset) || try_repaired(line)) {
      reading_.offsets[writer_] = offset + static_cast<std::int64_t>(line.size()) + (whole ? 1 : 0);
      return;
    }
    const std::size_t kept = salvage(line, offset);
    if (kept < line.size()) {
      const bool torn = !whole || line.find('\0') != std::string_view::npos;
      hold(line.substr(kept), offset + static_cast<std::int64_t>(kept), torn);
    }
  }

  // Hands out the records that stand whole in a line that is not one; gives where the last of them
  // ends.
  std::size_t salvage(std::string_view line, std::int64_t offset) {
    std::size_t done = 0;
    for (std::size_t at = line.find(record_begin); at != std::string_view::npos;) {
      const std::size_t seal = line.find(seal_begin, at);
      if (seal == std::string_view::npos) break;
      const std::size_t end = std::min(seal + seal_size, line.size());
      const std::string_view text = line.substr(at, end - at);
      if (decodes(text)) {
        if (at > done)
          hold(line.substr(done, at - done), offset + static_cast<std::int64_t>(done), false);
        try_record(text, offset + static_cast<std::int64_t>(at));
        done = end;
        reading_.offsets[writer_] = offset + static_cast<std::int64_t>(end);
      }
      at = line.find(record_begin, at + 1);
    }
    return done;
  }

  bool try_record(std::string_view line, std::int64_t offset) {
    if (!line.starts_with(record_begin)) return false;
    Record record;
    try {
      record = decode_record(std::string(line));
    } catch (const std::exception&) {
      return false;
    }
    record.writer = writer_;
    if (boot_.empty()) boot_ = record.boot;
    if (boot_.starts_with(record.boot)) record.boot = boot_;
    settle(record.seq, offset);
    next_seq_ = record.seq + 1;
    ++reading_.records;
    take_(std::move(record));
    return true;
  }

  bool try_repaired(std::string_view line) {
    if (!line.starts_with(repaired_begin)) return false;
    while (line.ends_with(' ')) line.remove_suffix(1);
    if (!unsealed(line)) return false;
    flush(false);
    next_seq_ = 0;
    return true;
  }

  void hold(std::string_view bytes, std::int64_t offset, bool torn) {
    Damage damage;
    damage.file = path_.string();
    damage.offset = offset;
    damage.bytes = static_cast<std::int64_t>(bytes.size());
    damage.what = fault_of(bytes);
    damage.tail = torn;
    damage.runs = runs_in(bytes);
    held_.push_back(std::move(damage));
  }

  // A whole record follows: what was held back before it is damage, and its number tells what is
  // missing.
  void settle(std::int64_t seq, std::int64_t offset) {
    const bool gap = next_seq_ > 0 && seq != next_seq_;
    if (gap && held_.empty()) {
      Damage damage;
      damage.file = path_.string();
      damage.offset = offset;
      damage.what = "sequence gap";
      held_.push_back(std::move(damage));
    }
    if (gap && seq > next_seq_) {
      held_.back().from_seq = next_seq_;
      held_.back().to_seq = seq - 1;
    }
    flush(false);
  }

  void flush(bool at_end) {
    for (Damage& damage : held_) {
      damage.tail = damage.tail && at_end;
      reading_.damage.push_back(std::move(damage));
    }
    held_.clear();
  }

  void end_of_file() {
    const bool all_torn =
        std::all_of(held_.begin(), held_.end(), [](const Damage& d) { return d.tail; });
    flush(all_torn);
  }

  const fs::path& path_;
  std::string writer_;
  JournalReading& reading_;
  const std::function<void(Record&&)>& take_;
  std::string boot_;
  std::int64_t next_seq_ = 0;
  std::vector<Damage> held_;
};

fs::path unused_name(const fs::path& file) {
  for (int n = 1;; ++n) {
    fs::path name = file.string() + ".damaged-" + std::to_string(n);
    if (!fs::exists(name)) return name;
  }
}

std::string repaired_line(const Damage& damage, const std::string& moved_to) {
  std::string p = "{\"repaired\":{\"what\":";
  json_text::append_string(p, damage.what);
  p += ",\"bytes\":" + std::to_string(damage.bytes) +
       ",\"from_seq\":" + std::to_string(damage.from_seq) +
       ",\"to_seq\":" + std::to_string(damage.to_seq) + ",\"moved_to\":";
  json_text::append_string(p, moved_to);
  return sealed(p + "}") + "\n";
}

void repair_file(const fs::path& file, std::vector<Damage> damage) {
  std::sort(damage.begin(), damage.end(),
            [](const Damage& a, const Damage& b) { return a.offset < b.offset; });
  const std::string text = read_file(file);
  std::string kept;
  std::size_t at = 0;
  for (const Damage& range : damage) {
    const auto begin = std::min(static_cast<std::size_t>(range.offset), text.size());
    const auto end = std::min(begin + static_cast<std::size_t>(range.bytes), text.size());
    if (begin < at) continue;
    std::string moved_to;
    if (end > begin) {
      const fs::path name = unused_name(file);
      write_exclusively(name, text.substr(begin, end - begin));
      moved_to = name.filename();
    }
    kept += text.substr(at, begin - at);
    if (!kept.empty() && kept.back() != '\n') kept += '\n';
    kept += repaired_line(range, moved_to);
    at = end < text.size() && text[end] == '\n' ? end + 1 : end;
  }
  write_atomically(file, kept + text.substr(std::min(at, text.size())));
}

}  // namespace

int generation_of(std::string_view writer) {
  const std::size_t dash = writer.rfind('-');
  if (dash == std::string_view::npos || writer.size() - dash > 10) return 0;
  const std::string digits(writer.substr(dash + 1));
  if (digits.empty() || digits.find_first_not_of("0123456789") != std::string::npos) return 0;
  return std::stoi(digits);
}

bool JournalReading::damaged() const {
  return std::any_of(damage.begin(), damage.end(), [](const Damage& d) { return !d.tail; });
}

JournalReading read_journals(const fs::path& folder, const ReadOptions& options,
                             const std::function<void(Record&&)>& take) {
  JournalReading reading;
  for (const fs::path& file : journal_files(folder)) {
    const auto from = options.from.find(file.stem().string());
    FileReader(file, reading, take).read(from == options.from.end() ? 0 : from->second);
  }
  return reading;
}

void repair_journal(const fs::path& folder, const std::vector<Damage>& damage) {
  std::map<fs::path, std::vector<Damage>> by_file;
  for (const Damage& range : damage) {
    if (!range.tail) by_file[folder / fs::path(range.file).filename()].push_back(range);
  }
  for (auto& [file, ranges] : by_file) repair_file(file, std::move(ranges));
}

}  // namespace campaign
