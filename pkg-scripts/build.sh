#!/usr/bin/env bash
# Builds the npm package into pkg/ and the demo page into www/dist/, and prints the size of the wasm module.
#   build.sh [--no-opt]    --no-opt leaves out wasm-opt: a quick build for trying things, larger than what is published
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

MAX_GZIP_BYTES=1700000
# -O1 takes a third of the time of -O2 and leaves a module that is as fast, and smaller once gzipped (measured on the
# linked dependencies: 27 s and 1.029 MB against 78 s and 1.035 MB).
OPT_FLAGS=(-O1 --enable-simd --enable-bulk-memory --enable-mutable-globals --enable-sign-ext
  --enable-nontrapping-float-to-int --enable-reference-types --enable-multivalue)

main() {
  case "${1:-}" in
    "") ;;
    --no-opt) OPT_FLAGS=() ;;
    *) fail "usage: build.sh [--no-opt]" ;;
  esac
  "$SCRIPTS/setup.sh"
  one_at_a_time "$CACHE/build.lock"
  compile
  bind_and_optimise
  package
  "$SCRIPTS/build-page.sh"
  print_sizes
}

# Cargo calls the module of every clone ia3_web.wasm, and does not notice that another clone has overwritten it.
compile() {
  local owner="$CARGO_TARGET_DIR/module-of-clone"
  if [ "$(cat "$owner" 2>/dev/null)" != "$ROOT" ]; then
    (cd "$ROOT" && cargo clean --quiet --locked --release --target wasm32-unknown-unknown --package ia3-web)
    printf '%s' "$ROOT" >"$owner"
  fi
  (cd "$ROOT" && cargo build --quiet --locked --release --lib --target wasm32-unknown-unknown) || fail "cargo build failed"
}

# MODULE: a folder in the cache with the finished module, its JavaScript and its types, named by everything that made it.
# wasm-opt takes half a minute, so no module is ever optimised twice.
bind_and_optimise() {
  local input="$CARGO_TARGET_DIR/wasm32-unknown-unknown/release/ia3_web.wasm" key part
  key="$({
    cat "$input"
    wasm-bindgen --version
    esbuild --version
    echo "${OPT_FLAGS[*]:-}"
    grep '"binaryen"' "$SCRIPTS/package.json"
  } | sha256sum | cut -c1-16)"
  MODULE="$CACHE/wasm/$key"
  if [ -d "$MODULE" ]; then
    touch "$MODULE"
    return
  fi
  part="$MODULE.part.$$"
  rm -rf "$part"
  wasm-bindgen --target web --out-dir "$part" --out-name ia3_web "$input"
  if [ ${#OPT_FLAGS[@]} -gt 0 ]; then
    say "build: wasm-opt ${OPT_FLAGS[0]}"
    wasm-opt "${OPT_FLAGS[@]}" "$part/ia3_web_bg.wasm" -o "$part/optimised.wasm"
    mv "$part/optimised.wasm" "$part/ia3_web_bg.wasm"
  fi
  esbuild "$part/ia3_web.js" --minify --format=esm --target=es2022 --outfile="$part/ia3_web.js" --allow-overwrite --log-level=warning
  printf '{"bytes": %d, "gzipBytes": %d}\n' "$(wc -c <"$part/ia3_web_bg.wasm")" \
    "$(gzip -9 -c "$part/ia3_web_bg.wasm" | wc -c)" >"$part/size.json"
  mv -T "$part" "$MODULE"
  forget_old_modules
}

forget_old_modules() {
  find "$CACHE/wasm" -mindepth 1 -maxdepth 1 -printf '%T@ %p\n' | sort -rn | tail -n +9 | cut -d' ' -f2- |
    xargs -r -d '\n' rm -rf
}

package() {
  local stamp="$OUT/pkg.stamp" key
  same_version
  key="$({
    echo "$MODULE"
    find "$ROOT/src/js" "$SCRIPTS/npm" -type f -print0 | sort -z | xargs -0 cat
    cat "$SCRIPTS/build-js.sh" "$SCRIPTS/package-lock.json" "$ROOT/README.md" "$ROOT/LICENSE"
  } | sha256sum)"
  if [ -d "$PKG" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$key" ]; then return; fi
  rm -rf "$PKG" "$stamp"
  mkdir -p "$PKG"
  cp "$MODULE"/ia3_web* "$SCRIPTS/npm/package.json" "$ROOT/README.md" "$ROOT/LICENSE" "$PKG/"
  cp "$MODULE/size.json" "$OUT/wasm-size.json"
  "$SCRIPTS/build-js.sh" "$PKG"
  echo "$key" >"$stamp"
}

same_version() {
  local crate
  crate="$(sed -n 's/^version = "\(.*\)"$/\1/p' "$ROOT/Cargo.toml" | head -n 1)"
  grep -q "\"version\": \"$crate\"" "$SCRIPTS/npm/package.json" ||
    fail "Cargo.toml says version $crate, pkg-scripts/npm/package.json does not: make them equal"
}

print_sizes() {
  local bytes gzip_bytes script=0 file
  read -r bytes gzip_bytes < <(sed 's/[^0-9 ]//g' "$OUT/wasm-size.json")
  for file in "$PKG"/*.js; do [ "$file" = "$PKG/jinja.js" ] || script=$((script + $(gzip -9 -c "$file" | wc -c))); done
  echo "ia3_web_bg.wasm: $bytes bytes, $gzip_bytes gzipped; the package's script: $script bytes gzipped," \
    "and $(gzip -9 -c "$PKG/jinja.js" | wc -c) for chat templates"
  if [ "$gzip_bytes" -gt "$MAX_GZIP_BYTES" ] && [ ${#OPT_FLAGS[@]} -gt 0 ]; then
    fail "ia3_web_bg.wasm is larger than $MAX_GZIP_BYTES bytes gzipped"
  fi
}

main "$@"
