// The journal's readers. An odd first byte seals every line with its right checksum, so that what
// lies behind the checksum is reached too.
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "campaign/state/crc32c.hpp"
#include "campaign/state/fold.hpp"
#include "campaign/state/journal.hpp"

namespace {

namespace fs = std::filesystem;

// One folder for the process, in memory where the system has such a place; removed at exit.
class Folder {
 public:
  Folder() {
    const fs::path root = fs::is_directory("/dev/shm") ? "/dev/shm" : fs::temp_directory_path();
    path_ = root / ("journal_fuzz-" + std::to_string(getpid()));
    fs::create_directories(path_);
  }
  ~Folder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

std::string sealed_lines(const std::string& lines) {
  std::string text;
  for (std::size_t at = 0; at < lines.size();) {
    const std::size_t end = std::min(lines.find('\n', at), lines.size());
    const std::string payload = lines.substr(at, end - at);
    text += campaign::sealed(payload) + "\n";
    at = end + 1;
  }
  return text;
}

void decode(const std::string& line) {
  try {
    const campaign::Record record = campaign::decode_record(line);
    const std::string again = campaign::encode_record(record);
    if (campaign::encode_record(campaign::decode_record(again)) != again) std::abort();
  } catch (const std::runtime_error&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  static const Folder folder;
  std::string bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] % 2 == 1) bytes = sealed_lines(bytes);
  const fs::path file = folder.path() / "host-1-0badcafe-1.jsonl";
  std::ofstream(file, std::ios::binary | std::ios::trunc) << bytes;
  campaign::Fold fold;
  std::size_t taken = 0;
  const auto reading = campaign::read_journals(folder.path(), {}, [&](campaign::Record&& record) {
    campaign::apply(fold, record);
    ++taken;
  });
  if (reading.records != taken) std::abort();
  decode(bytes.substr(0, bytes.find('\n')));
  if (const auto snapshot = campaign::read_snapshot(bytes)) campaign::write_snapshot(*snapshot);
  return 0;
}
