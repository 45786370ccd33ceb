#!/usr/bin/env bash
# Builds the package, then trains on a sample task in headless Chromium through the demo page's own controls.
#   run.sh [--device webgpu|wasm]                   the encoder: writes target/run.json, target/adapter/ and target/run.png
#   run.sh --model smollm2 [--device webgpu|wasm]   the chat model: target/run-smollm2.json, target/adapter-smollm2/, target/run-smollm2.png
#   run.sh --serve [--port N]                       serves the demo page for a person's browser instead
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() { fail "usage: run.sh [--model minilm|smollm2] [--device webgpu|wasm] | run.sh --serve [--port N]"; }

serve=false
model=minilm
device=auto
port=8080
while [ $# -gt 0 ]; do
  case "$1" in
    --serve) serve=true ;;
    --model | --device | --port)
      [ $# -ge 2 ] || usage
      printf -v "${1#--}" %s "$2"
      shift
      ;;
    *) usage ;;
  esac
  shift
done
case "$device" in auto | webgpu | wasm) ;; *) usage ;; esac
case "$model" in minilm | smollm2) ;; *) usage ;; esac

"$SCRIPTS/build.sh"
if $serve; then exec node "$SCRIPTS/serve.mjs" --port "$port"; fi
exec node "$SCRIPTS/run.mjs" --model "$model" --device "$device"
