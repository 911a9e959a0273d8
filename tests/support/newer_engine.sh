# shellcheck shell=bash
# A dockerd that knows CDI. Source it after `set -euo pipefail`, with ROOT set.
#
# newer_engine: prints the folder of a dockerd of version 28.2 or newer. In this order: $NEWER_ENGINE; what an earlier
# call left in build/engine; the package `docker.io` of Debian's sid (20 MB), unpacked there beside the system, which
# runs on the system's own containerd and runc. Fails with the reason in one line on standard error.
# shellcheck source=tests/support/compose_oracle.sh
source "$ROOT/tests/support/compose_oracle.sh"

newer_engine() {
  local folder=$ROOT/build/engine
  if [ -n "${NEWER_ENGINE:-}" ]; then
    echo "$NEWER_ENGINE"
    return
  fi
  if [ ! -x "$folder/sid/usr/sbin/dockerd" ]; then
    if ! command -v apt-get >/dev/null || [ ! -e /usr/share/keyrings/debian-archive-keyring.gpg ]; then
      echo "no newer dockerd: neither NEWER_ENGINE nor apt-get with Debian's keys" >&2
      return 1
    fi
    unpack_package docker.io sid "$folder" || {
      echo "no newer dockerd: the package docker.io of sid could not be fetched" >&2
      return 1
    }
  fi
  if ! "$folder/sid/usr/sbin/dockerd" --version >/dev/null 2>&1; then
    echo "no newer dockerd: that of sid does not run on this system" >&2
    return 1
  fi
  echo "$folder/sid/usr/sbin"
}
