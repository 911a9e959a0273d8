#!/bin/bash
# Several controllers, campaigns and engines' leftovers at once; see controllers.py.
exec python3 "$(dirname "${BASH_SOURCE[0]}")/controllers.py" "$@"
