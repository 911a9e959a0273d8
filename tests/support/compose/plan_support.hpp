// Projects from the text of a compose file, and what an engine has of them, without an engine.
#pragma once

#include <string>

#include "compose/reconcile.hpp"

namespace compose::test {

// A project named "p" of this text, with these services and what they depend on; empty = all.
Project project_of(const std::string& yaml, const std::string& name = "p",
                   const Strings& services = {});
// As if everything desired were there and ran: container ids are "id-NAME", network ids "net-NAME".
Observed running(const Desired& wanted);
ObservedContainer& container_in(Observed& seen, const std::string& name);

}  // namespace compose::test
