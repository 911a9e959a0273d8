// The journal and the fold as one: what is appended is durable and is applied by the same function
// that recovery uses.
#pragma once

#include <functional>

#include "campaign/state/fold.hpp"
#include "campaign/state/journal.hpp"

namespace controller {

class Ledger {
 public:
  // `after` is called after each append, with the fold up to date.
  Ledger(campaign::Journal& journal, campaign::Fold& fold, std::function<void()> after)
      : journal_(journal), fold_(fold), after_(std::move(after)) {}
  // Durable when it returns. Throws campaign::JournalError.
  void append(const std::vector<campaign::Event>& events);
  void append(campaign::Event event);
  const campaign::Fold& fold() const { return fold_; }
  const std::string& writer() const { return journal_.writer(); }
  std::int64_t seq() const { return seq_; }  // of the last record

 private:
  campaign::Journal& journal_;
  campaign::Fold& fold_;
  std::function<void()> after_;
  std::int64_t seq_ = 0;
};

}  // namespace controller
