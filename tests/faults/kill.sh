#!/bin/bash
# kill -9 of the controller at exact and at random moments; see kill.py.
exec python3 "$(dirname "${BASH_SOURCE[0]}")/kill.py" "$@"
