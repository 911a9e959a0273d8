#!/bin/bash
# The short form of every measurement: they can be made, and no figure is held against a limit here.
set -euo pipefail
timeout -k 10 180 python3 "$ROOT/tests/perf/run.py" --quick --build "$BUILD" --out "$ROOT/build/perf-quick.json"
echo "ok perf: every measurement can be made"
