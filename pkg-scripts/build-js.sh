#!/usr/bin/env bash
# Makes the package's script and types from src/js.
#   build-js.sh FOLDER    where ia3_web.js and ia3_web_bg.wasm are, or will be
# A visit loads index.js (the page's half), worker.js (the engine) and what they share; the code for `worker: false` is apart.
# jinja.js, which only pages that chat load, is whole in itself and holds somebody else's work with its licence.
# All of them but that import wasm-bindgen's ia3_web.js by name, and find worker.js and the module through new URL(..., import.meta.url),
# which bundlers understand and esbuild leaves as it is.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

main() {
  [ $# -eq 1 ] || fail "usage: build-js.sh FOLDER"
  mkdir -p "$1"
  local options=(--format=esm --target=es2022 --log-level=warning)
  esbuild "$ROOT"/src/js/{index,worker,worker-threads,helper}.ts "${options[@]}" --bundle --splitting --minify \
    --external:./ia3_web.js --external:./ia3_web_threads.js --external:./import-url.js --outdir="$1"
  esbuild "$ROOT/src/js/import-url.ts" "${options[@]}" --outdir="$1"
  esbuild "$ROOT/src/js/jinja.ts" "${options[@]}" --bundle --minify --banner:js="$(notice @huggingface/jinja)" --outdir="$1"
  types "$1"
}

# notice PACKAGE: its name and licence as a comment that minifying keeps.
notice() {
  printf '/*! %s\n\n%s\n*/' "$1" "$(cat "$ROOT/node_modules/$1/LICENSE")"
}

# The types of the whole folder are checked; those that a caller can meet are published.
types() {
  local all="$OUT/types" name
  rm -rf "$all"
  tsc --project "$ROOT/src/js/tsconfig.json" --outDir "$all"
  for name in index model run training-run generation types adapter-types example-types generation-types progress-event result-types training-types errors zip; do cp "$all/$name.d.ts" "$1/"; done
}

main "$@"
