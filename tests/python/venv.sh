#!/usr/bin/env bash
# Prints the Python of a virtual environment with the packages of a file, requirements.txt (with torch, which takes 5 GB) if none is named; makes
# it in the per-user cache first.
#   venv.sh [REQUIREMENTS]
source "$(dirname "${BASH_SOURCE[0]}")/../../pkg-scripts/lib.sh"

REQUIREMENTS="${1:-$ROOT/tests/python/requirements.txt}"
VENV="$CACHE/python/$(hash_of "$REQUIREMENTS" | cut -c1-16)"

mkdir -p "$CACHE/python"
one_at_a_time "$CACHE/python/lock"
# The marker is written last: an interrupted installation is made again, not half used.
if [ ! -e "$VENV/complete" ]; then
  say "python: installing $(tr '\n' ' ' <"$REQUIREMENTS")once"
  rm -rf "$VENV"
  logged python-venv python3 -m venv "$VENV"
  logged python-packages "$VENV/bin/pip" install --requirement "$REQUIREMENTS"
  touch "$VENV/complete"
fi
printf '%s\n' "$VENV/bin/python"
