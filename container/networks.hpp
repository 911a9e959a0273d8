// Networks of an engine. Names are not unique by themselves: create asks the engine to refuse a
// second one of that name (409), which old engines do not promise under concurrency, so list and
// take what carries your label. Remove by id.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "container/async.hpp"
#include "container/container_spec.hpp"

namespace container {

struct AddressPool {
  std::string subnet, gateway = {}, ip_range = {};
  std::map<std::string, std::string> auxiliary = {};
};

struct NetworkSpec {
  std::string name;
  std::string driver = {};  // empty: the engine's default, bridge
  std::map<std::string, std::string> options = {}, labels = {};
  std::string ipam_driver = {};
  std::map<std::string, std::string> ipam_options = {};
  std::vector<AddressPool> pools = {};
  bool internal = false, attachable = false, ipv6 = false;
};

struct NetworkInfo {
  std::string id, name, driver;
  std::map<std::string, std::string> labels;
  std::vector<std::string> containers;  // ids of those that run in it; empty in a list
};

class Networks {
 public:
  virtual ~Networks() = default;
  virtual Task<std::string> create(const NetworkSpec& spec) = 0;  // id; 409: the name is taken
  // "" value = label present.
  virtual Task<std::vector<NetworkInfo>> list(const std::map<std::string, std::string>& labels) = 0;
  virtual Task<NetworkInfo> inspect(const std::string& id_or_name) = 0;
  virtual Task<> connect(const NetworkAttachment& attachment, const std::string& container) = 0;
  virtual Task<> disconnect(const std::string& network, const std::string& container) = 0;
  virtual Task<> remove(const std::string& id) = 0;  // 404 is success; 403: containers are in it
};

}  // namespace container
