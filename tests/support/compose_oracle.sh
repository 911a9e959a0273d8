# shellcheck shell=bash
# A real docker compose 2.x to compare with. Source it after `set -euo pipefail`, with ROOT set.
#
# compose_oracle: prints the path of a docker-compose program. In this order: $COMPOSE_ORACLE; what an earlier call left
# in build/oracle; the package `docker-compose` of a newer Debian suite, unpacked there beside the system, nothing is
# installed. Fails with the reason in one line on standard error.
compose_oracle() {
  local folder=$ROOT/build/oracle found=""
  if [ -n "${COMPOSE_ORACLE:-}" ]; then
    echo "$COMPOSE_ORACLE"
    return
  fi
  found=$(unpacked_compose "$folder")
  if [ -z "$found" ]; then
    if ! command -v apt-get >/dev/null || [ ! -e /usr/share/keyrings/debian-archive-keyring.gpg ]; then
      echo "no docker compose 2.x: neither COMPOSE_ORACLE nor apt-get with Debian's keys" >&2
      return 1
    fi
    unpack_package docker-compose sid "$folder" || unpack_package docker-compose trixie "$folder" || {
      echo "no docker compose 2.x: the package docker-compose of sid or trixie could not be fetched" >&2
      return 1
    }
    found=$(unpacked_compose "$folder")
  fi
  echo "$found"
}

# unpacked_compose FOLDER: the program of the newest suite there, or nothing.
unpacked_compose() {
  find "$1" -path '*/cli-plugins/docker-compose' -type f -perm -u+x 2>/dev/null | sort | head -n 1
}

# unpack_package PACKAGE SUITE FOLDER: into FOLDER/SUITE
unpack_package() {
  local apt=$3/apt options
  mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian $2 main" >"$apt/list"
  options=(-qq -o "Dir::Etc::SourceList=$apt/list" -o Dir::Etc::SourceParts=/dev/null -o "Dir::State::Lists=$apt/lists"
    -o "Dir::Cache=$apt/cache" -o Dir::State::status=/dev/null -o Acquire::Languages=none -o APT::Sandbox::User=)
  timeout 300 apt-get "${options[@]}" update >"$apt/log" 2>&1 || return 1
  (cd "$apt" && timeout 300 apt-get "${options[@]}" download "$1") >>"$apt/log" 2>&1 || return 1
  dpkg -x "$apt/$1"_*.deb "$3/$2" || return 1
  rm -rf "$apt"
}
