#!/usr/bin/env bash
# Checks with ggml's own Python package the files that our own tests left in target/gguf-for-python/. Not part of CI: needs numpy.
source "$(dirname "${BASH_SOURCE[0]}")/../../pkg-scripts/lib.sh"

shopt -s nullglob
FILES=("$OUT"/gguf-for-python/*.gguf)
[ ${#FILES[@]} -gt 0 ] || fail "target/gguf-for-python/ holds no file: run cargo test --test session merge_gguf first"

PYTHON="$("$ROOT/tests/python/venv.sh" "$SCRIPTS/smollm2/requirements.txt")"
exec "$PYTHON" "$ROOT/tests/python/check_gguf.py" "${FILES[@]}"
