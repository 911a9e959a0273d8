#include "campaign/results/digest.hpp"

#include <openssl/evp.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <memory>
#include <nlohmann/json.hpp>
#include <system_error>

#include "campaign/metrics/text.hpp"

namespace campaign {
namespace {

using nlohmann::json;

constexpr std::string_view marker_prefix = ".completed_";

std::string hex(const unsigned char* bytes, std::size_t count) {
  constexpr const char* digits = "0123456789abcdef";
  std::string out;
  for (std::size_t i = 0; i < count; ++i) {
    out += digits[bytes[i] >> 4];
    out += digits[bytes[i] & 15];
  }
  return out;
}

}  // namespace

std::string sha256_of(int fd) {
  const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context(EVP_MD_CTX_new(),
                                                                   EVP_MD_CTX_free);
  EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr);
  std::array<char, 64 * 1024> block;
  for (off_t offset = 0;;) {
    const ssize_t got = ::pread(fd, block.data(), block.size(), offset);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw std::system_error(errno, std::generic_category(), "hashing");
    if (got == 0) break;
    EVP_DigestUpdate(context.get(), block.data(), static_cast<std::size_t>(got));
    offset += got;
  }
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned length = 0;
  EVP_DigestFinal_ex(context.get(), digest.data(), &length);
  return hex(digest.data(), length);
}

std::string marker_name(int process) {
  return std::string(marker_prefix) + std::to_string(process);
}

std::string result_name(int process) { return "process_" + std::to_string(process) + ".json"; }

std::optional<int> marker_of(const std::string& name) {
  if (!name.starts_with(marker_prefix)) return std::nullopt;
  int process = 0;
  const char* end = name.data() + name.size();
  const auto [at, error] = std::from_chars(name.data() + marker_prefix.size(), end, process);
  if (error != std::errc{} || at != end || marker_name(process) != name) return std::nullopt;
  return process;
}

std::string write_marker(const Marker& marker) {
  nlohmann::ordered_json object;
  object["process_index"] = marker.process;
  object["gpu_id"] = nullptr;
  object["result_path"] = result_name(marker.process);
  object["timestamp"] = marker.timestamp;
  object["result_hash"] = marker.hash;
  return object.dump() + "\n";
}

std::string marker_problem(const AttemptFiles& files, int process) {
  constexpr std::int64_t largest_marker = 64 * 1024;
  constexpr std::size_t shortest_hash = 16;
  const std::string name = marker_name(process);
  try {
    const json marker = json::parse(files.read(name, largest_marker), nullptr, false);
    if (!marker.is_object() || !marker.contains("result_hash") ||
        !marker["result_hash"].is_string())
      return name + " is no JSON object with a result_hash";
    if (marker.contains("process_index") && marker["process_index"] != process)
      return name + " has the process_index of another process";
    const Fd result = files.open(result_name(process));
    if (!result) return name + " stands for " + result_name(process) + ", which is missing";
    const std::string said = marker["result_hash"].get<std::string>();
    const std::string hash = sha256_of(result.get());
    if (said.size() < shortest_hash || !hash.starts_with(said))
      return name + " says result_hash " + shown(said) + ", but the SHA-256 of " +
             result_name(process) + " is " + hash;
  } catch (const std::exception& error) {
    return name + ": " + error.what();
  }
  return {};
}

}  // namespace campaign
