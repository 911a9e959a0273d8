# shellcheck shell=bash
# What `images/quickstart` and `tests/run` both need: the packages, the build, the engine, the images.
# Source it after `set -euo pipefail`. It defines functions and sets ROOT and JOBS; it does nothing by itself.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() { printf '== %s\n' "$*"; }
note() { printf '   %s\n' "$*"; }
die() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

# Jobs for the compiler: one a core, and 1 GiB of memory for each.
compile_jobs() {
  local cores memory
  cores=$(nproc)
  memory=$(awk '/^MemAvailable/ {print int($2 / 1048576)}' /proc/meminfo)
  [ "${memory:-0}" -ge 1 ] || memory=1
  echo $((cores < memory ? cores : memory))
}
JOBS=$(compile_jobs)

# --- packages -------------------------------------------------------------------------------------------------------

CLANG_VERSIONS="22 21 20 19 18 17 16"
BOOST_VERSIONS="90 88 87 86 85 84 83 81"

can_be_root() {
  [ "$(id -u)" -eq 0 ] || { command -v sudo >/dev/null && { [ -t 0 ] || sudo -n true 2>/dev/null; }; }
}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

has_command() { command -v "$1" >/dev/null 2>&1; }
has_header() { [ -e "/usr/include/$1" ] || [ -e "/usr/include/$(uname -m)-linux-gnu/$1" ]; }
in_apt() { apt-cache show "$1" 2>/dev/null | grep -q .; }

installed_clang() {
  local version
  for version in $CLANG_VERSIONS; do
    if has_command "clang++-$version"; then
      echo "$version"
      return
    fi
  done
}

# The newest clang that is installed; else 19, which the house is built and formatted with, where the distribution offers
# it or nothing is known; else the newest that it offers.
clang_version() {
  local version
  version=$(installed_clang)
  if [ -n "$version" ]; then
    echo "$version"
    return
  fi
  for version in 19 $CLANG_VERSIONS; do
    if in_apt "clang-$version"; then
      echo "$version"
      return
    fi
  done
  echo 19
}

boost_version() {
  local version
  for version in $BOOST_VERSIONS; do
    if in_apt "libboost1.$version-dev"; then
      echo "$version"
      return
    fi
  done
  echo 81
}

has_boost() {
  local version
  version=$(awk '/^#define BOOST_VERSION / {print $3}' /usr/include/boost/version.hpp 2>/dev/null)
  [ "${version:-0}" -ge 108100 ]
}

has_boost_filesystem() {
  has_boost && compgen -G "/usr/lib/*/libboost_filesystem.so" >/dev/null
}

# missing_packages build|images|tests...: the packages of these groups that the system lacks, by the names of Debian and
# Ubuntu, one a line. What a package is for is looked for by its command or header, so that it may come from anywhere.
missing_packages() {
  local group
  for group in "$@"; do
    "missing_for_$group"
  done
}

lacks() {
  local package=$1
  shift
  "$@" || echo "$package"
}

missing_for_build() {
  local clang boost
  clang=$(clang_version)
  lacks "clang-$clang" has_command "clang++-$clang"
  lacks "lld-$clang" has_command "ld.lld-$clang"
  lacks cmake has_command cmake
  lacks ninja-build has_command ninja
  lacks ccache has_command ccache
  if ! has_boost_filesystem; then
    boost=$(boost_version)
    echo "libboost1.$boost-dev"
    echo "libboost-filesystem1.$boost-dev"
  fi
  lacks libyaml-cpp-dev has_header yaml-cpp/yaml.h
  lacks nlohmann-json3-dev has_header nlohmann/json.hpp
  lacks libspdlog-dev has_header spdlog/spdlog.h
  lacks libcli11-dev has_header CLI/CLI.hpp
  lacks libssl-dev has_header openssl/evp.h
}

missing_for_images() {
  lacks busybox-static has_command busybox
  lacks mmdebstrap has_command mmdebstrap
  lacks ca-certificates test -e /etc/ssl/certs/ca-certificates.crt
  lacks git has_command git
  lacks npm has_command npm
  lacks python3 has_command python3
  lacks debian-archive-keyring test -e /usr/share/keyrings/debian-archive-keyring.gpg
}

missing_for_tests() {
  local clang
  clang=$(clang_version)
  lacks libgtest-dev has_header gtest/gtest.h
  lacks libgmock-dev has_header gmock/gmock.h
  lacks libbenchmark-dev has_header benchmark/benchmark.h
  lacks "clang-tidy-$clang" has_command "clang-tidy-$clang"
  lacks "clang-format-$clang" has_command "clang-format-$clang"
  lacks "libclang-rt-$clang-dev" has_sanitizers "$clang"
  lacks python3 has_command python3
  lacks python3-yaml python_has_yaml
  lacks parallel has_command parallel
}

has_sanitizers() { compgen -G "/usr/lib/llvm-$1/lib/clang/*/lib/linux/libclang_rt.asan-*.a" >/dev/null; }

python_has_yaml() { python3 -c 'import yaml' 2>/dev/null; }

update_package_lists() {
  [ -z "${LISTS_UPDATED:-}" ] || return 0
  as_root apt-get update -qq
  LISTS_UPDATED=1
}

# install_packages GROUP...: installs what is missing, root or sudo needed; dies with the reason otherwise.
install_packages() {
  local missing
  mapfile -t missing < <(missing_packages "$@" | sort -u)
  [ "${#missing[@]}" -gt 0 ] || return 0
  has_command apt-get || die "missing here: ${missing[*]}. This system has no apt-get: install them by its own means."
  can_be_root || die "missing here: ${missing[*]}. Run as root (or with sudo): $(install_command "${missing[@]}")"
  update_package_lists
  mapfile -t missing < <(missing_packages "$@" | sort -u)
  say "installing: ${missing[*]}"
  apt_install "${missing[@]}"
}

apt_install() {
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

install_command() {
  local sudo=""
  [ "$(id -u)" -eq 0 ] || sudo="sudo "
  echo "${sudo}apt-get update && ${sudo}apt-get install -y --no-install-recommends $*"
}

# --- build ----------------------------------------------------------------------------------------------------------

# build_preset PRESET LOG CMAKE_ARGS... -- TARGET...
build_preset() {
  local preset=$1 log=$2
  local configure=()
  shift 2
  while [ "$1" != "--" ]; do
    configure+=("$1")
    shift
  done
  shift
  mkdir -p "$(dirname "$log")"
  export CCACHE_BASEDIR=$ROOT CCACHE_NOHASHDIR=1
  if ! (cd "$ROOT" && cmake --preset "$preset" "${configure[@]}" &&
    cmake --build --preset "$preset" -j"$JOBS" --target "$@") >"$log" 2>&1; then
    tail -n 40 "$log" >&2
    die "the $preset build failed; everything it said is in $log"
  fi
}

# --- engine ---------------------------------------------------------------------------------------------------------

engine_answers() { timeout 20 docker version --format '{{.Server.Version}}' >/dev/null 2>&1; }

# find_engine: 0 when an engine answers. What DOCKER_HOST or the docker context says wins; else the default sockets are
# tried, and DOCKER_HOST is exported for the one that answers.
find_engine() {
  local socket runtime=${XDG_RUNTIME_DIR:-/run/user/$(id -u)}
  has_command docker || return 1
  engine_answers && return 0
  [ -z "${DOCKER_HOST:-}" ] && [ -z "${DOCKER_CONTEXT:-}" ] || return 1
  for socket in /var/run/docker.sock "$runtime/docker.sock" "$runtime/podman/podman.sock"; do
    [ -S "$socket" ] || continue
    if DOCKER_HOST=unix://$socket engine_answers; then
      export DOCKER_HOST=unix://$socket
      return 0
    fi
  done
  return 1
}

# Why find_engine failed, in one line, with what to do.
engine_remedy() {
  if [ -n "${DOCKER_HOST:-}" ]; then
    echo "DOCKER_HOST is $DOCKER_HOST and no engine answers there; start it or unset DOCKER_HOST"
  elif [ -S /var/run/docker.sock ] && [ ! -w /var/run/docker.sock ]; then
    echo "you may not use /var/run/docker.sock: sudo usermod -aG docker $(id -un), then log in again"
  elif has_command dockerd; then
    echo "Docker is installed and does not run: sudo systemctl start docker (without systemd: sudo dockerd &)"
  elif has_command docker; then
    echo "there is a docker client and no engine: $(install_command docker.io)"
  else
    echo "no Docker Engine: $(install_command docker.io)"
  fi
}

# install_engine: docker.io when there is no dockerd, started, and waited for (30 s). Root or sudo.
install_engine() {
  [ -z "${DOCKER_HOST:-}" ] || die "$(engine_remedy)"
  can_be_root || die "$(engine_remedy)"
  if ! has_command dockerd; then
    has_command apt-get || die "$(engine_remedy)"
    update_package_lists
    say "installing: docker.io"
    apt_install docker.io iptables
  fi
  if ! has_command docker; then
    update_package_lists
    apt_install docker-cli
  fi
  start_engine
}

start_engine() {
  local log=/var/log/dockerd-campaignctl.log tries
  if ! as_root test -S /var/run/docker.sock || ! as_root timeout 20 docker version >/dev/null 2>&1; then
    say "starting the Docker Engine"
    if [ -d /run/systemd/system ]; then
      as_root systemctl start docker
    else
      as_root sh -c "setsid dockerd >$log 2>&1 </dev/null &"
    fi
    for tries in $(seq 150); do
      as_root timeout 20 docker version >/dev/null 2>&1 && break
      [ "$tries" -lt 150 ] || die "the engine did not come up within 30 s; see $log or: journalctl -u docker"
      sleep 0.2
    done
  fi
  engine_answers || join_docker_group
}

# A user who is not in the group `docker` may not use the engine: joins it and starts this command again with it.
join_docker_group() {
  [ -z "${CAMPAIGNCTL_JOINED_GROUP:-}" ] || die "$(engine_remedy)"
  say "adding $(id -un) to the group docker"
  as_root usermod -aG docker "$(id -un)"
  export CAMPAIGNCTL_JOINED_GROUP=1
  exec sg docker -c "bash $(printf '%q ' "$0" "${COMMAND_LINE[@]}")"
}
