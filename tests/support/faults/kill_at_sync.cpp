// Preloaded into campaignctl by tests/faults: SIGKILL at an exact place of its work, without a hook
// in the program.
//
// CAMPAIGNCTL_TEST_KILL = WHAT:N:WHEN. WHAT is an event of the journal ("completed"), `any` record,
// `rename`, or `rename/NAME` for one to a path that ends so; N counts from 1. WHEN for a record:
// `before` it is written, `torn` when half of it is, `written` but not made durable, `durable`
// right after fdatasync; for a rename `before` or `after`. Only the journal uses pwrite and
// fdatasync. The variables are taken out of the environment at once, so that children of the
// program are let alone.
#include <dlfcn.h>
#include <signal.h>
#include <sys/types.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <string_view>

namespace {

struct Order {
  std::string what, when;
  long count = 0;
};

Order order_of(const char* text) {
  if (text == nullptr) return {};
  const std::string spec = text;
  const auto first = spec.find(':'), last = spec.rfind(':');
  return {spec.substr(0, first), spec.substr(last + 1), std::atol(spec.substr(first + 1).c_str())};
}

Order& order() {
  static Order the_order = [] {
    Order taken = order_of(std::getenv("CAMPAIGNCTL_TEST_KILL"));
    unsetenv("CAMPAIGNCTL_TEST_KILL");
    unsetenv("LD_PRELOAD");
    return taken;
  }();
  return the_order;
}

__attribute__((constructor)) void take_order() { order(); }

long seen = 0;
bool due = false;

[[noreturn]] void die() {
  kill(getpid(), SIGKILL);
  for (;;) pause();
}

template <class Function>
Function next(const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

bool is_meant(std::string_view text) {
  if (order().what == "any") return text.find("\"event\":\"") != text.npos;
  return text.find("\"event\":\"" + order().what + "\"") != text.npos;
}

using Pwrite = ssize_t (*)(int, const void*, size_t, off_t);

ssize_t watched_pwrite(int file, const void* bytes, size_t size, off_t offset) {
  static const auto real = next<Pwrite>("pwrite");
  if (order().count == 0 || !is_meant({static_cast<const char*>(bytes), size}) ||
      ++seen != order().count)
    return real(file, bytes, size, offset);
  if (order().when == "before") die();
  if (order().when == "torn") {
    real(file, bytes, size / 2, offset);
    die();
  }
  due = true;
  return real(file, bytes, size, offset);
}

bool is_meant_rename(const std::string& to) {
  if (order().what == "rename") return true;
  return order().what.starts_with("rename/") && ("/" + to).ends_with(order().what.substr(6));
}

template <class Real>
int watched_rename(const char* to, Real real) {
  const bool meant = is_meant_rename(to) && ++seen == order().count;
  if (meant && order().when == "before") die();
  const int result = real();
  if (meant) die();
  return result;
}

}  // namespace

extern "C" {

ssize_t pwrite(int file, const void* bytes, size_t size, off_t offset) {
  return watched_pwrite(file, bytes, size, offset);
}

ssize_t pwrite64(int file, const void* bytes, size_t size, off_t offset) {
  return watched_pwrite(file, bytes, size, offset);
}

int fdatasync(int file) {
  static const auto real = next<int (*)(int)>("fdatasync");
  if (due && order().when == "written") die();
  const int result = real(file);
  if (due) die();
  return result;
}

int rename(const char* from, const char* to) noexcept {
  static const auto real = next<int (*)(const char*, const char*)>("rename");
  return watched_rename(to, [=] { return real(from, to); });
}

int renameat(int from_folder, const char* from, int to_folder, const char* to) noexcept {
  static const auto real = next<int (*)(int, const char*, int, const char*)>("renameat");
  return watched_rename(to, [=] { return real(from_folder, from, to_folder, to); });
}

int renameat2(int from_folder, const char* from, int to_folder, const char* to,
              unsigned flags) noexcept {
  static const auto real = next<int (*)(int, const char*, int, const char*, unsigned)>("renameat2");
  return watched_rename(to, [=] { return real(from_folder, from, to_folder, to, flags); });
}
}
