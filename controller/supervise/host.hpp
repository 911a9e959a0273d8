// All supervisors of one program, on one loop. Whoever owns it adds supervisors at any time and
// shuts it down before its loop ends.
#pragma once

#include "controller/supervise/supervisor.hpp"

namespace boost::asio {
class io_context;
}

namespace controller::supervise {

class Host {
 public:
  // `io` and what `parts` names outlive it. parts.chance may be empty: then it draws from `seed`.
  struct Parts {
    boost::asio::io_context* io = nullptr;
    const campaign::Clock* clock = nullptr;
    std::uint64_t seed = 0;  // of the jitter
    Observer observer;       // of all supervisors
  };
  explicit Host(Parts parts);
  ~Host();

  // Starts it. The reference holds as long as the host.
  Supervisor& add(SupervisorPolicy policy, std::vector<Service> services);
  Supervisor* find(const std::string& supervisor);
  // Stops it and forgets it.
  Task<> remove(std::string supervisor);
  const std::vector<std::unique_ptr<Supervisor>>& supervisors() const { return supervisors_; }
  boost::asio::io_context& io() const { return *parts_.io; }
  const campaign::Clock& clock() const { return *parts_.clock; }

  // Stops the supervisors in the reverse order of their coming, each within its bounds; returns
  // when all are over. Nothing can be added any more.
  Task<> shut_down();
  bool closing() const { return closing_; }
  void hurry();  // everything that runs is killed now; also during shut_down()

 private:
  Parts parts_;
  std::function<double()> chance_;
  bool closing_ = false;
  bool hurry_ = false;
  std::vector<std::unique_ptr<Supervisor>> supervisors_;
};

}  // namespace controller::supervise
