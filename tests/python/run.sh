#!/usr/bin/env bash
# Checks with real PEFT the adapters that our own tests left in target/adapters-for-python/. Not part of CI: needs torch.
source "$(dirname "${BASH_SOURCE[0]}")/../../pkg-scripts/lib.sh"

shopt -s nullglob
ADAPTERS=("$OUT"/adapters-for-python/*/)
[ ${#ADAPTERS[@]} -gt 0 ] || fail "target/adapters-for-python/ holds no adapter: run pkg-scripts/test.sh first"

PYTHON="$("$ROOT/tests/python/venv.sh")"
MINILM="$CACHE/hub/sentence-transformers/all-MiniLM-L6-v2/resolve/main"
exec "$PYTHON" "$ROOT/tests/python/check_export.py" --minilm "$MINILM" "${ADAPTERS[@]}"
