#!/bin/bash
# SIGTERM, SIGINT, SIGHUP and `stop` in every stage; see signals.py.
exec python3 "$(dirname "${BASH_SOURCE[0]}")/signals.py" "$@"
