// `status --why RUN`: why a run is in the state that it is in, and every record that made it so.
#pragma once

#include <vector>

#include "controller/cli/console.hpp"

namespace controller::cli {

struct WhyReport {
  std::string run, experiment, state, cls, message, log;
  std::string reason;  // one sentence
  int attempt = 0;
  std::optional<bool> valid;       // of a run that has a record: whether its figures count,
  std::string invalid_reason;      // and why not
  std::vector<std::string> notes;  // of its record
  struct Line {
    std::string time, event, members;
  };
  std::vector<Line> records;  // of this run, in the order of the journal
};

WhyReport make_why(const SessionView& view, const std::string& run);
std::string why_text(const WhyReport& report, const Style& style);
std::string why_json(const WhyReport& report);

}  // namespace controller::cli
