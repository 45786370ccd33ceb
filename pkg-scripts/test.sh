#!/usr/bin/env bash
# Runs every test and prints the counts of each suite; fails on any failure, on any skipped test and on a suite without tests.
#   test.sh [SUITE...]    only those suites, in their order below
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
source "$SCRIPTS/counts.sh"

SUITES=(format clippy clippy-wasm types scripts js native gguf web npm page)

main() {
  local suite
  if [ $# -gt 0 ]; then known "$@" && SUITES=("$@"); fi
  "$SCRIPTS/build.sh" || fail "the build failed: nothing was tested"
  VK_DRIVER_FILES="${VK_DRIVER_FILES:-$(software_vulkan)}"
  # Vulkan's loader complains of every instance without a folder for sockets that nothing here uses.
  export VK_DRIVER_FILES XDG_RUNTIME_DIR="${XDG_RUNTIME_DIR:-$OUT}"
  cd "$ROOT"
  for suite in "${SUITES[@]}"; do run_suite "$suite"; done
  print_counts
}

known() {
  local wanted
  for wanted in "$@"; do
    [[ " ${SUITES[*]} " == *" $wanted "* ]] || fail "no suite '$wanted': choose from ${SUITES[*]}"
  done
}

# Checks that pass or fail as a whole; each counts as one test.
suite_format() { one_check cargo fmt --all --check; }
suite_clippy() { one_check cargo clippy --locked --all-targets --quiet -- -D warnings; }
suite_clippy-wasm() { one_check cargo clippy --locked --all-targets --quiet --target wasm32-unknown-unknown -- -D warnings; }
suite_types() {
  one_check tsc --noEmit --project src/js/tsconfig.json
  one_check tsc --noEmit --project www/tsconfig.json
}

suite_scripts() { node_tests pkg-scripts/*.test.mjs pkg-scripts/*/*.test.mjs; }
suite_js() { node_tests tests/js/*.test.mjs; }
suite_npm() { node_tests tests/npm/run.mjs; }
suite_page() { node_tests tests/page/run.mjs; }

suite_native() { cargo_tests cargo test --locked --no-fail-fast; }

# What our own tests merge, read by ggml's own Python package.
suite_gguf() { counted_check tests/python/gguf.sh; }

# Every tests/web*.rs says itself whether it runs in the page or in a dedicated worker. wasm-pack builds all tests, so the native
# ones are empty on wasm; it takes one target a call where a failure must not hide the next one's.
suite_web() {
  local file
  export WASM_BINDGEN_TEST_TIMEOUT="${WASM_BINDGEN_TEST_TIMEOUT:-600}"
  export WASM_BINDGEN_TEST_WEBDRIVER_JSON="$SCRIPTS/webdriver.json"
  for file in tests/web*.rs; do
    cargo_tests wasm-pack test --headless --chrome --release --mode no-install -- --locked --test "$(basename "$file" .rs)"
  done
}

main "$@"
