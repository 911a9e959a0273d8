#!/bin/bash
# Which GPUs runs get; see gpus.py.
exec python3 "$(dirname "${BASH_SOURCE[0]}")/gpus.py" "$@"
