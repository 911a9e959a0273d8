#!/bin/bash
# A run by exec that loses its starter, its engine, or both; see execs.py.
exec python3 "$(dirname "${BASH_SOURCE[0]}")/execs.py" "$@"
