#!/bin/bash
# The build context of campaignctl/probe: the host's static busybox.
set -euo pipefail
busybox=$(command -v busybox) || { echo "busybox is missing: apt-get install -y busybox-static" >&2; exit 1; }
if ldd "$busybox" >/dev/null 2>&1; then
  echo "$busybox is not static: apt-get install -y busybox-static" >&2
  exit 1
fi
cp -L "$busybox" "$1/busybox"
