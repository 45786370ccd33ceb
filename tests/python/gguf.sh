#!/usr/bin/env bash
# Checks with ggml's own Python package the GGUFs that our own tests write with an adapter folded in; they are written first.
source "$(dirname "${BASH_SOURCE[0]}")/../../pkg-scripts/lib.sh"

FILES="$OUT/gguf-for-python"
rm -rf "$FILES"
logged merged-gguf env -C "$ROOT" cargo test --locked --quiet --test session merge_gguf
PYTHON="$("$ROOT/tests/python/venv.sh" "$SCRIPTS/smollm2/requirements.txt")"
exec "$PYTHON" "$ROOT/tests/python/check_gguf.py" "$FILES"
