#!/bin/bash
# Prints the name of a Debian-like base image that is in the engine, and puts it there first if it must.
#   base.sh            the distribution of this host, so that programs compiled here run in the image
#   base.sh bookworm   Debian 12, whatever the host is
# In this order: $BASE_IMAGE where it is set; what an earlier call put there; a pull (at most 60 s); mmdebstrap.
set -euo pipefail
# shellcheck source=images/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

host_suite() {
  local ID="" VERSION_CODENAME=""
  # shellcheck disable=SC1091
  . /etc/os-release
  case $ID in
    debian | ubuntu) echo "${VERSION_CODENAME:-bookworm}" ;;
    *) echo bookworm ;;
  esac
}

published_name() {
  case $1 in
    noble) echo ubuntu:24.04 ;;
    jammy) echo ubuntu:22.04 ;;
    *) echo "debian:$1-slim" ;;
  esac
}

present() { docker image inspect "$1" >/dev/null 2>&1; }

make_with_mmdebstrap() {
  local suite=$1 name=$2
  has_command mmdebstrap || die "no registry is reachable and mmdebstrap is missing: $(install_command mmdebstrap)"
  mmdebstrap --quiet --variant=minbase --include=libstdc++6,libgomp1,ca-certificates \
    --aptopt='Dir::Cache::pkgcache ""' --aptopt='Dir::Cache::srcpkgcache ""' --aptopt='Acquire::Languages "none"' \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-include=/usr/share/doc/*/copyright' --dpkgopt='path-exclude=/usr/share/locale/*' \
    "$suite" - | docker import -c 'CMD ["bash"]' - "$name" >/dev/null
}

if [ -n "${BASE_IMAGE:-}" ]; then
  present "$BASE_IMAGE" || timeout 60 docker pull -q "$BASE_IMAGE" >/dev/null ||
    die "BASE_IMAGE is $BASE_IMAGE, which the engine neither has nor can pull"
  echo "$BASE_IMAGE"
  exit
fi
suite=${1:-$(host_suite)}
published=$(published_name "$suite")
ours=campaignctl/base:$suite
if present "$ours"; then
  echo "$ours"
elif present "$published" || timeout 60 docker pull -q "$published" >/dev/null 2>&1; then
  echo "$published"
else
  echo "making $ours with mmdebstrap (no registry)" >&2
  make_with_mmdebstrap "$suite" "$ours"
  echo "$ours"
fi
