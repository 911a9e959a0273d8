#!/bin/bash
# What is sampled while runs are measured, and what it comes to; see telemetry.py.
exec python3 "$(dirname "${BASH_SOURCE[0]}")/telemetry.py" "$@"
