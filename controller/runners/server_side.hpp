// The server beside a client: made in the network of its worker, started when it is its run's turn,
// asked until it is ready, watched, and ended with its run; or kept, while the next run's server
// would be the same. Its output and outcome are written by its own launcher.
//
//   (nothing) ──prepare──► created ──make_ready──► ready ──conclude──► (nothing), or kept
//                             └── remove                └── ended: it went first
#pragma once

#include <set>

#include "controller/runners/compose_side.hpp"
#include "controller/runners/held_spec.hpp"

namespace controller {

struct ServerSideParts {
  container::Engine* engine = nullptr;
  const Site* site = nullptr;
  PayloadContext payload;
  Belonging belonging;
  Wake* wake = nullptr;
  ComposeSide* compose = nullptr;   // null: no runner is a service
  std::function<bool()> cancelled;  // nothing is to be waited for any more
};

class ServerSide {
 public:
  explicit ServerSide(ServerSideParts parts) : parts_(std::move(parts)) {}
  // All do nothing for an attempt without a server.
  Task<> prepare(Attempt& attempt);
  // Sets attempt.server_id. Throws PrepareError when it does not become ready: config where its
  // command could not be executed, payload where it ended by itself with a code, else infra;
  // ReleasedBeforeStart when cancelled.
  Task<> make_ready(Attempt& attempt);
  // Its client was adopted.
  Task<> adopt(Attempt& attempt);
  // Whether it went before its client; attempt.ending.server then says how.
  Task<bool> ended(Attempt& attempt);
  Task<> conclude(Attempt& attempt);
  Task<> remove(Attempt& attempt);
  // Ends what is kept and removes the networks.
  Task<> close();

 private:
  struct Live {
    std::string id, hash;
    std::filesystem::path logs;                 // where its launcher writes
    std::uintmax_t out_mark = 0, err_mark = 0;  // how long its logs were when its client came
    std::unique_ptr<container::ExitWitness> witness;
    Attempt* attempt = nullptr;  // whose turn it is
    bool ended = false;          // a witness told
  };
  // What an attempt's server is to be, and what is put into it.
  struct Wanted {
    container::ContainerSpec spec;
    std::vector<container::TarFile> files;
    std::string hash;
    campaign::Ready ready;
    std::optional<std::string> emptied;  // a line about GPUs that its service reserves in vain
  };
  Wanted wanted(const Attempt& attempt) const;
  Task<std::string> create(const Attempt& attempt, const Wanted& server);
  Task<> have_network(int worker);
  Task<> bring_up(Live& live, const Attempt& attempt, const Wanted& server);
  Task<> await_ready(Live& live, const campaign::Ready& ready, const std::string& user);
  // What its check sees that is not there yet, "" = it is ready.
  Task<std::string> lacking(const Live& live, const campaign::Ready& ready,
                            const std::string& user);
  Task<> drop(Live& live, double grace);
  [[noreturn]] void not_ready(const Live& live, const std::string& why) const;
  static void gather_logs(const Live& live, const Attempt& attempt);
  container::OnExit exit_of(Live& live);

  ServerSideParts parts_;
  std::map<int, Live> live_;                  // by worker
  std::map<std::string, std::string> ahead_;  // attempt -> container made for it
  std::map<int, std::string> networks_;       // by worker: id
};

}  // namespace controller
