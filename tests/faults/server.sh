#!/bin/bash
# A server beside each run; see server.py.
exec python3 "$(dirname "${BASH_SOURCE[0]}")/server.py" "$@"
