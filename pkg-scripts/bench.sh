#!/usr/bin/env bash
# Measures speed in headless Chromium through the page www/bench.html, and prints the table of the README.
#   bench.sh [--peers] [--only NAME,..] [--device webgpu|wasm] [--runs N]     writes target/bench.json
#   --peers    also measures tfjs, jax-js, onnxruntime-web and wllama in the same browser, and ours beside wllama on SmolLM2: half an hour
#              without a graphics card
#   --only     matmul, encoder-forward, encoder-train, ops; with --peers also generate-load, generate-prefill, generate-decode, language-train; or
#              names of rows
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() { fail "usage: bench.sh [--peers] [--only NAME,..] [--device webgpu|wasm] [--runs N]"; }

# SmolLM2 once more, in a format that llama.cpp has SIMD code for in WebAssembly, as it has not for Q4_1.
eight_bits() {
  local file="$CACHE/hub/requantised/SmolLM2-135M-Instruct-GGUF/resolve/main/SmolLM2-135M-Instruct.Q8_0.gguf" python
  if [ -f "$file" ]; then return; fi
  say "bench: quantising SmolLM2 to Q8_0"
  python="$("$ROOT/tests/python/venv.sh" "$SCRIPTS/smollm2/requirements.txt")"
  mkdir -p "$(dirname "$file")"
  logged requantise "$python" "$SCRIPTS/smollm2/requantise.py" "$SMOLLM2/SmolLM2-135M-Instruct.Q4_1.gguf" Q8_0 "$file.part"
  mv "$file.part" "$file"
}

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
  eight_bits
  exec 9>&- # another clone's set-up need not wait until everything is measured
  options+=(--packages "$PACKAGES")
fi
exec node "$SCRIPTS/bench/main.mjs" "${options[@]}"
