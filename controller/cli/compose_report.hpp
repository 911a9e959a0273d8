// What `compose up`, `ps` and `down` print, as JSON and as text.
#pragma once

#include <string>

#include "compose/project.hpp"

namespace controller::cli {

std::string containers_text(const compose::Observed& seen);
std::string containers_json(const compose::Observed& seen);
std::string up_json(const compose::UpResult& result);
std::string down_json(const compose::DownResult& result);
std::string plan_json(const compose::Plan& plan);
// The failure with the culprit's last lines and what was undone; empty where nothing failed.
std::string failure_text(const compose::Execution& execution);

}  // namespace controller::cli
