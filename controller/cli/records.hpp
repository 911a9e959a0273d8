// The run records of a session, from its results folder.
#pragma once

#include <vector>

#include "controller/locate.hpp"

namespace controller::cli {

struct SessionRecords {
  std::vector<campaign::RunRecord>
      records;  // in plan order: accepted runs, and the last attempt of failed ones
  std::vector<std::string> unreadable;  // "PATH: why"
};
SessionRecords read_records(const SessionView& view);

}  // namespace controller::cli
