#!/bin/bash
# compose files: `campaignctl compose config` beside the real docker compose, and beside the public JSON schema.
set -euo pipefail
# shellcheck source=tests/support/compose_oracle.sh
source "$ROOT/tests/support/compose_oracle.sh"
if oracle=$(compose_oracle 2>"$BUILD/compose_oracle.err"); then
  code=0
  python3 "$ROOT/tests/e2e/compose_config.py" "$CAMPAIGNCTL" "$oracle" || code=1
  python3 "$ROOT/tests/e2e/compose_schema.py" "$CAMPAIGNCTL" "$oracle" || code=1
  exit "$code"
else
  echo "skip compose.config # $(tail -n 1 "$BUILD/compose_oracle.err")"
  echo "skip compose.schema # $(tail -n 1 "$BUILD/compose_oracle.err")"
fi
