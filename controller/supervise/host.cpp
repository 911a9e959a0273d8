#include "controller/supervise/host.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <stdexcept>

#include "campaign/plan/random.hpp"

namespace controller::supervise {

Host::Host(Parts parts) : parts_(std::move(parts)) {
  constexpr double steps = 4294967296.0;
  chance_ = [random = campaign::Pcg32(parts_.seed, 1)]() mutable { return random.next() / steps; };
}

Host::~Host() = default;

Supervisor& Host::add(SupervisorPolicy policy, std::vector<Service> services) {
  if (closing_) throw std::logic_error("a host that shuts down takes no supervisor");
  if (find(policy.name))
    throw std::logic_error("the host has a supervisor " + policy.name + " already");
  supervisors_.push_back(std::make_unique<Supervisor>(
      std::move(policy), std::move(services),
      SupervisorParts{.clock = parts_.clock, .chance = chance_, .observer = parts_.observer}));
  Supervisor& added = *supervisors_.back();
  boost::asio::co_spawn(*parts_.io, added.run(), boost::asio::detached);
  return added;
}

Supervisor* Host::find(const std::string& supervisor) {
  for (const auto& one : supervisors_)
    if (one->name() == supervisor) return one.get();
  return nullptr;
}

Task<> Host::remove(std::string supervisor) {
  Supervisor* const found = find(supervisor);
  if (!found) co_return;
  found->stop();
  co_await found->finished();
  if (!closing_) std::erase_if(supervisors_, [&](const auto& one) { return one.get() == found; });
}

Task<> Host::shut_down() {
  closing_ = true;
  for (std::size_t i = supervisors_.size(); i-- > 0;) {
    if (hurry_) break;
    supervisors_[i]->stop();
    co_await supervisors_[i]->finished();
  }
  for (const auto& supervisor : supervisors_) co_await supervisor->finished();
}

void Host::hurry() {
  hurry_ = true;
  closing_ = true;
  for (const auto& supervisor : supervisors_) supervisor->hurry();
}

}  // namespace controller::supervise
