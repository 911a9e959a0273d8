#!/bin/bash
# Runs that are services of a compose file; see compose.py.
exec python3 "$(dirname "${BASH_SOURCE[0]}")/compose.py" "$@"
