#!/bin/bash
# Fills OUT with bin/: this image's model, and the contract that payloads share.
set -euo pipefail
here=$(dirname "${BASH_SOURCE[0]}")
cp -r "$here/bin" "$1/bin"
cp "$here/../contract/contract.py" "$here/../contract/settings.py" "$1/bin/"
