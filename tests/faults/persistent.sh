#!/bin/bash
# Containers that are held alive, and what happens to them; see persistent.py.
exec python3 "$(dirname "${BASH_SOURCE[0]}")/persistent.py" "$@"
