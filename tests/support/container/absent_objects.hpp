// Networks, volumes and execs of an engine that has none: lists are empty, every other verb is
// refused with 501.
#pragma once

#include "container/engine.hpp"

namespace container::test {

class AbsentNetworks : public Networks {
 public:
  Task<std::string> create(const NetworkSpec&) override { return refuse<std::string>(); }
  Task<std::vector<NetworkInfo>> list(const std::map<std::string, std::string>&) override {
    co_return std::vector<NetworkInfo>{};
  }
  Task<NetworkInfo> inspect(const std::string&) override { return refuse<NetworkInfo>(); }
  Task<> connect(const NetworkAttachment&, const std::string&) override { return refuse<void>(); }
  Task<> disconnect(const std::string&, const std::string&) override { return refuse<void>(); }
  Task<> remove(const std::string&) override { return refuse<void>(); }

 private:
  template <class T>
  Task<T> refuse() {
    throw EngineError(501, "this engine has no networks");
  }
};

class AbsentVolumes : public Volumes {
 public:
  Task<VolumeInfo> create(const VolumeSpec&) override { return refuse<VolumeInfo>(); }
  Task<std::vector<VolumeInfo>> list(const std::map<std::string, std::string>&) override {
    co_return std::vector<VolumeInfo>{};
  }
  Task<VolumeInfo> inspect(const std::string&) override { return refuse<VolumeInfo>(); }
  Task<> remove(const std::string&) override { return refuse<void>(); }

 private:
  template <class T>
  Task<T> refuse() {
    throw EngineError(501, "this engine has no volumes");
  }
};

class AbsentExecs : public Execs {
 public:
  Task<std::string> create(const std::string&, const ExecSpec&) override {
    return refuse<std::string>();
  }
  Task<> start_detached(const std::string&) override { return refuse<void>(); }
  Task<std::unique_ptr<OutputStream>> start_attached(const std::string&) override {
    return refuse<std::unique_ptr<OutputStream>>();
  }
  Task<std::unique_ptr<ExecStream>> start_interactive(const std::string&,
                                                      const ExecSpec&) override {
    return refuse<std::unique_ptr<ExecStream>>();
  }
  Task<> resize(const std::string&, TerminalSize) override { return refuse<void>(); }
  Task<ExecState> inspect(const std::string&) override { return refuse<ExecState>(); }

 private:
  template <class T>
  Task<T> refuse() {
    throw EngineError(501, "this engine has no execs");
  }
};

}  // namespace container::test
