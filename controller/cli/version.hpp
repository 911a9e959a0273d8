#pragma once

namespace controller::cli {

const char* version();  // of the project, as CMakeLists.txt has it

}  // namespace controller::cli
