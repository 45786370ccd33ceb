#!/usr/bin/env bash
# Builds the npm package into pkg/ and the demo page into www/dist/, and prints the sizes of the wasm modules.
#   build.sh [--no-opt]    --no-opt leaves out wasm-opt: a quick build for trying things, larger than what is published
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

MAX_GZIP_BYTES=1700000
# -O1 takes a third of the time of -O2 and leaves a module that is as fast, and smaller once gzipped (measured on the
# linked dependencies: 27 s and 1.029 MB against 78 s and 1.035 MB).
OPT_FLAGS=(-O1 --enable-simd --enable-bulk-memory --enable-mutable-globals --enable-sign-ext
  --enable-nontrapping-float-to-int --enable-reference-types --enable-multivalue --enable-threads)

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

# Both modules at once: the last crate of each takes one core.
compile() {
  local threads="$CARGO_TARGET_DIR/threads" plain
  of_this_clone "$CARGO_TARGET_DIR"
  of_this_clone "$threads"
  build_module &
  plain=$!
  # Cargo builds the standard library only where it may use what is not stable.
  RUSTC_BOOTSTRAP=1 build_module --config "$SCRIPTS/threads.toml" --target-dir "$threads" || fail "cargo build failed"
  wait "$plain" || fail "cargo build failed"
}

# Cargo calls the module of every clone ia3_web.wasm, and does not notice that another clone has overwritten it.
of_this_clone() {
  local owner="$1/module-of-clone"
  if [ "$(cat "$owner" 2>/dev/null)" = "$ROOT" ]; then return; fi
  mkdir -p "$1"
  (cd "$ROOT" && cargo clean --quiet --locked --release --target wasm32-unknown-unknown --target-dir "$1" --package ia3-web)
  printf '%s' "$ROOT" >"$owner"
}

build_module() { (cd "$ROOT" && cargo build --quiet --locked --release --lib --target wasm32-unknown-unknown "$@"); }

# MODULES: a folder in the cache with the finished modules, their JavaScript and their types, named by everything that made them.
# wasm-opt takes half a minute, so no module is ever optimised twice.
bind_and_optimise() {
  local built=wasm32-unknown-unknown/release/ia3_web.wasm key part plain
  key="$({
    cat "$CARGO_TARGET_DIR/$built" "$CARGO_TARGET_DIR/threads/$built"
    wasm-bindgen --version
    esbuild --version
    echo "${OPT_FLAGS[*]:-}"
    grep '"binaryen"' "$SCRIPTS/package.json"
  } | sha256sum | cut -c1-16)"
  MODULES="$CACHE/wasm/$key"
  if [ -d "$MODULES" ]; then
    touch "$MODULES"
    return
  fi
  part="$MODULES.part.$$"
  rm -rf "$part"
  [ ${#OPT_FLAGS[@]} -eq 0 ] || say "build: wasm-opt ${OPT_FLAGS[0]}"
  finish_module "$CARGO_TARGET_DIR/$built" "$part" ia3_web &
  plain=$!
  finish_module "$CARGO_TARGET_DIR/threads/$built" "$part" ia3_web_threads
  wait "$plain" || fail "the module could not be finished"
  printf '{"module": %s, "withThreads": %s}\n' "$(sizes "$part/ia3_web_bg.wasm")" "$(sizes "$part/ia3_web_threads_bg.wasm")" >"$part/size.json"
  mv -T "$part" "$MODULES"
  forget_old_modules
}

# finish_module INPUT FOLDER NAME
finish_module() {
  local module="$2/$3_bg.wasm" script="$2/$3.js"
  wasm-bindgen --target web --out-dir "$2" --out-name "$3" "$1"
  if [ ${#OPT_FLAGS[@]} -gt 0 ]; then
    wasm-opt "${OPT_FLAGS[@]}" "$module" -o "$module.optimised"
    mv "$module.optimised" "$module"
  fi
  esbuild "$script" --minify --format=esm --target=es2022 --outfile="$script" --allow-overwrite --log-level=warning
}

sizes() { printf '{"bytes": %d, "gzipBytes": %d}' "$(wc -c <"$1")" "$(gzip -9 -c "$1" | wc -c)"; }

forget_old_modules() {
  find "$CACHE/wasm" -mindepth 1 -maxdepth 1 -printf '%T@ %p\n' | sort -rn | tail -n +9 | cut -d' ' -f2- |
    xargs -r -d '\n' rm -rf
}

package() {
  local stamp="$OUT/pkg.stamp" key
  same_version
  key="$({
    echo "$MODULES"
    find "$ROOT/src/js" "$SCRIPTS/npm" -type f -print0 | sort -z | xargs -0 cat
    cat "$SCRIPTS/build-js.sh" "$SCRIPTS/package-lock.json" "$ROOT/README.md" "$ROOT/LICENSE"
  } | sha256sum)"
  if [ -d "$PKG" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$key" ]; then return; fi
  rm -rf "$PKG" "$stamp"
  mkdir -p "$PKG"
  cp "$MODULES"/ia3_web* "$SCRIPTS/npm/package.json" "$ROOT/README.md" "$ROOT/LICENSE" "$PKG/"
  cp "$MODULES/size.json" "$OUT/wasm-size.json"
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
  local bytes gzip_bytes threads_bytes threads_gzip_bytes script=0 file
  read -r bytes gzip_bytes threads_bytes threads_gzip_bytes < <(sed 's/[^0-9 ]//g' "$OUT/wasm-size.json")
  for file in "$PKG"/*.js; do
    # What a visit without threads loads: with them, another script of the same size takes the place of ia3_web.js.
    case "${file##*/}" in jinja.js | ia3_web_threads.js | worker-threads.js | helper.js) continue ;; esac
    script=$((script + $(gzip -9 -c "$file" | wc -c)))
  done
  echo "ia3_web_bg.wasm: $bytes bytes, $gzip_bytes gzipped; ia3_web_threads_bg.wasm: $threads_bytes, $threads_gzip_bytes gzipped;" \
    "the package's script: $script bytes gzipped, and $(gzip -9 -c "$PKG/jinja.js" | wc -c) for chat templates"
  if [ ${#OPT_FLAGS[@]} -eq 0 ]; then return; fi
  if [ "$gzip_bytes" -gt "$MAX_GZIP_BYTES" ] || [ "$threads_gzip_bytes" -gt "$MAX_GZIP_BYTES" ]; then
    fail "a module is larger than $MAX_GZIP_BYTES bytes gzipped"
  fi
}

main "$@"
