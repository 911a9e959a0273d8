#!/bin/bash
# Gaps that wait for chips to cool, on simulated sensors; see thermal.py.
exec python3 "$(dirname "${BASH_SOURCE[0]}")/thermal.py" "$@"
