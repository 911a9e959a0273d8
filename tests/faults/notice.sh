#!/bin/bash
# How soon the death of a container is noticed, with nothing beside it; see notice.py.
exec python3 "$(dirname "${BASH_SOURCE[0]}")/notice.py" "$@"
