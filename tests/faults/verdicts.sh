#!/bin/bash
# kill -9 of the controller around a verdict; see verdicts.py.
exec python3 "$(dirname "${BASH_SOURCE[0]}")/verdicts.py" "$@"
