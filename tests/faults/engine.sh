#!/bin/bash
# An engine that goes away and comes back in mid-campaign; see engine.py.
exec python3 "$(dirname "${BASH_SOURCE[0]}")/engine.py" "$@"
