#!/bin/bash
# Runs that fail in each way, hooks, gaps; see failures.py.
exec python3 "$(dirname "${BASH_SOURCE[0]}")/failures.py" "$@"
