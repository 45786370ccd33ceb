#!/usr/bin/env bash
# Measures speed in headless Chromium through the page www/bench.html, and prints the table of the README.
#   bench.sh [--peers] [--only NAME,..] [--device webgpu|wasm] [--runs N]     writes target/bench.json
#   --peers    also measures tfjs, jax-js, onnxruntime-web and wllama in the same browser: about 15 minutes without a graphics card
#   --only     matmul, encoder-forward, encoder-train, ops, or names of rows; with --peers also generate-load, generate-prefill, generate-decode
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() { fail "usage: bench.sh [--peers] [--only NAME,..] [--device webgpu|wasm] [--runs N]"; }

peers=false
options=()
while [ $# -gt 0 ]; do
  case "$1" in
    --peers) peers=true ;;
    --only | --device | --runs)
      [ $# -ge 2 ] || usage
      if [ "$1" = --device ]; then [[ "$2" =~ ^(webgpu|wasm)$ ]] || usage; fi
      if [ "$1" = --runs ]; then [[ "$2" =~ ^[1-9][0-9]*$ ]] || usage; fi
      options+=("$1" "$2")
      shift
      ;;
    *) usage ;;
  esac
  shift
done

"$SCRIPTS/build.sh"
if $peers; then
  one_at_a_time "$CACHE/setup.lock"
  npm_packages "$SCRIPTS/bench/peers"
  exec 9>&- # another clone's set-up need not wait until everything is measured
  options+=(--packages "$PACKAGES")
fi
exec node "$SCRIPTS/bench/main.mjs" "${options[@]}"
