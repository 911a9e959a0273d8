// A host on a test's loop, and what it tells.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>

#include "campaign/state/journal.hpp"
#include "controller/supervise/host.hpp"
#include "tests/support/container/loop.hpp"

namespace controller::supervise::test {

class Supervision {
 public:
  explicit Supervision(container::test::Loop& loop) : loop_(loop), host_(parts(loop)) {}
  Supervision(const Supervision&) = delete;
  Supervision& operator=(const Supervision&) = delete;
  ~Supervision() { end(); }
  // What a test leaves running is ended by force, before what its services look at goes.
  void end() {
    on_notice = nullptr;
    host_.hurry();
    loop_.run(host_.shut_down());
  }

  Supervisor& add(SupervisorPolicy policy, ServicePolicy service,
                  std::unique_ptr<Executor> executor) {
    std::vector<Service> services;
    services.push_back({.policy = std::move(service), .executor = std::move(executor)});
    return host_.add(std::move(policy), std::move(services));
  }

  // Until so many of the lines told begin so; fails the test when they do not come in time.
  void until(const std::string& beginning, int count = 1, double bound = 20) {
    const auto wait = [this](std::string what, int many) -> Task<> {
      while (told(what) < many) co_await told_.wait(1);
    };
    const bool came =
        loop_.run(container::finished_within(wait(beginning, count), bound), bound + 5);
    EXPECT_TRUE(came) << "not told " << count << " times: " << beginning << "\n" << text();
  }
  int told(const std::string& beginning) const {
    return static_cast<int>(std::ranges::count_if(
        lines, [&](const std::string& line) { return line.starts_with(beginning); }));
  }
  std::string text() const {
    std::string all;
    for (const std::string& line : lines) all += line + "\n";
    return all;
  }
  // Seconds that it took.
  double shut_down() {
    const double begin = campaign::system_clock().boottime();
    loop_.run(host_.shut_down());
    return campaign::system_clock().boottime() - begin;
  }

  Host& host() { return host_; }
  std::vector<std::string> lines;
  std::function<void(const Notice&)> on_notice;

 private:
  Host::Parts parts(container::test::Loop& loop) {
    return {.io = &loop.io(),
            .clock = &campaign::system_clock(),
            .seed = 1,
            .observer = [this](const Notice& notice) {
              lines.push_back(notice.text);
              if (on_notice) on_notice(notice);
              told_.notify();
            }};
  }
  container::test::Loop& loop_;
  Wake told_;
  Host host_;
};

inline constexpr BackOff quick{.kind = BackOff::Kind::fixed, .first = 0.01};

}  // namespace controller::supervise::test
