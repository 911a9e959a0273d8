#!/bin/bash
# A state folder that runs full; see disk.py.
exec python3 "$(dirname "${BASH_SOURCE[0]}")/disk.py" "$@"
