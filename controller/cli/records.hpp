// The run records of a session, from its results folder.
#pragma once

#include <optional>
#include <vector>

#include "controller/locate.hpp"

namespace controller::cli {

struct SessionRecords {
  std::vector<campaign::RunRecord>
      records;  // in plan order: accepted runs, and the last attempt of failed ones
  std::vector<std::string> unreadable;  // "PATH: why"
};
SessionRecords read_records(const SessionView& view);
// Of one run; nullopt: it has none, or one that cannot be read.
std::optional<campaign::RunRecord> read_record(const SessionView& view, const std::string& run);

}  // namespace controller::cli
