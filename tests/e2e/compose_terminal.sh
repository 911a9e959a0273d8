#!/bin/bash
# compose exec at a terminal; see compose_terminal.py.
exec python3 "$(dirname "${BASH_SOURCE[0]}")/compose_terminal.py" "$@"
