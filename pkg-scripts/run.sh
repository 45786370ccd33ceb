#!/usr/bin/env bash
# Builds the package, then trains on the sample task in headless Chromium through the demo page's own controls.
#   run.sh [--device webgpu|wasm]     writes target/run.json, target/adapter/ and target/run.png
#   run.sh --serve [--port N]         serves the demo page for a person's browser instead
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() { fail "usage: run.sh [--device webgpu|wasm] | run.sh --serve [--port N]"; }

serve=false
device=auto
port=8080
while [ $# -gt 0 ]; do
  case "$1" in
    --serve) serve=true ;;
    --device | --port)
      [ $# -ge 2 ] || usage
      if [ "$1" = --device ]; then device="$2"; else port="$2"; fi
      shift
      ;;
    *) usage ;;
  esac
  shift
done
case "$device" in auto | webgpu | wasm) ;; *) usage ;; esac

"$SCRIPTS/build.sh"
if $serve; then exec node "$SCRIPTS/serve.mjs" --port "$port"; fi
exec node "$SCRIPTS/run.mjs" --device "$device"
