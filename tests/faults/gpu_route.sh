#!/bin/bash
# GPUs into containers of engines with stand-ins of the vendor's programs; see gpu_route.py.
exec python3 "$(dirname "${BASH_SOURCE[0]}")/gpu_route.py" "$@"
