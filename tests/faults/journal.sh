#!/bin/bash
# A journal that was cut anywhere; see journal.py.
exec python3 "$(dirname "${BASH_SOURCE[0]}")/journal.py" "$@"
