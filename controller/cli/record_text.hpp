// A journal record as a person reads it.
#pragma once

#include <string>

#include "campaign/state/events.hpp"

namespace controller::cli {

struct RecordText {
  std::string run;  // "" where the event has none
  std::string event;
  std::string members;  // "attempt=1 worker=0": the event's own, without its run, in the order of
                        // the record
};
RecordText record_text(const campaign::Record& record);

}  // namespace controller::cli
