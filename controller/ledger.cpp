#include "controller/ledger.hpp"

namespace controller {

void Ledger::append(const std::vector<campaign::Event>& events) {
  seq_ = journal_.append(events);
  for (const campaign::Record& record : journal_.last_appended()) campaign::apply(fold_, record);
  after_();
}

void Ledger::append(campaign::Event event) {
  append(std::vector<campaign::Event>{std::move(event)});
}

}  // namespace controller
