# The newest clang from 16 on that the system has; CXX in the environment wins.
if(NOT DEFINED ENV{CXX} AND NOT CMAKE_CXX_COMPILER)
  find_program(newest_clang NAMES clang++-22 clang++-21 clang++-20 clang++-19 clang++-18 clang++-17 clang++-16)
  if(newest_clang)
    set(CMAKE_CXX_COMPILER ${newest_clang})
  else()
    message(FATAL_ERROR "No clang++-16 or newer found. Debian 12: apt-get install clang-19")
  endif()
endif()
