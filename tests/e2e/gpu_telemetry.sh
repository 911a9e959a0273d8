#!/bin/bash
# What runs with GPUs are measured by, and what is made of it; see gpu_telemetry.py.
exec python3 "$(dirname "${BASH_SOURCE[0]}")/gpu_telemetry.py" "$@"
