#!/bin/bash
# What a user does with a campaign, from the first up to a changed plan; see campaigns.py.
exec python3 "$(dirname "${BASH_SOURCE[0]}")/campaigns.py" "$@"
